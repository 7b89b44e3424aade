#include "actors/packages/hashed_file.hpp"

#include "storage/hash.hpp"

namespace troupe {

namespace {

// All of the content passes here in order: what was kept is read again, what is new is written.
class hashed_file final : public bulk_sink {
public:
  hashed_file(std::string path, std::string hash, std::function<void()> arrived)
    : file_(bulk_to_file(std::move(path))), expected_(std::move(hash)),
      arrived_(std::move(arrived)) {}

  result<uint64_t> begin(uint64_t size) override {
    hash_ = {};
    return file_->begin(size);
  }

  result<void> read(uint64_t offset, std::span<std::byte> out) override {
    TROUPE_TRY(file_->read(offset, out));
    add(out);
    return {};
  }

  result<void> write(uint64_t offset, std::span<const std::byte> bytes) override {
    TROUPE_TRY(file_->write(offset, bytes));
    add(bytes);
    return {};
  }

  result<void> commit() override {
    auto hash = hash_.digits();
    if (hash != expected_) {
      discard();
      return {errc::corrupt, "the content has the hash " + hash + " and should have " + expected_
                               + "; it changed on its way, send it again"};
    }
    TROUPE_TRY(file_->commit());
    arrived_();
    return {};
  }

  void discard() override { file_->discard(); }

private:
  void add(std::span<const std::byte> bytes) {
    hash_.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  std::shared_ptr<bulk_sink> file_;
  const std::string expected_;
  const std::function<void()> arrived_;
  storage::sha256_stream hash_;
};

} // namespace

std::shared_ptr<bulk_sink> bulk_to_hashed_file(std::string path, std::string hash,
                                               std::function<void()> arrived) {
  return std::make_shared<hashed_file>(std::move(path), std::move(hash), std::move(arrived));
}

} // namespace troupe
