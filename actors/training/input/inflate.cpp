#include "actors/training/input/inflate.hpp"

#include "actors/training/input/file_bytes.hpp"

#include <fcntl.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace troupe::training {

namespace {

constexpr size_t piece = size_t{256} << 10;
constexpr unsigned buffer_size = 1U << 17;
constexpr std::array<std::byte, 2> gzip_magic{std::byte{0x1f}, std::byte{0x8b}};

} // namespace

void inflating_file::close::operator()(gzFile_s* file) const {
  gzclose(file);
}

result<inflating_file> inflating_file::open(const std::string& path) {
  auto fd = open_data_file(path);
  if (!fd)
    return fd.error();
  // zlib closes what it is given.
  auto own = ::fcntl(fd->get(), F_DUPFD_CLOEXEC, 0);
  auto* file = own < 0 ? nullptr : gzdopen(own, "rb");
  if (file == nullptr) {
    owned_fd unused{own};
    return {errc::io, path + " cannot be read, for lack of descriptors or memory: free some."};
  }
  gzbuffer(file, buffer_size);
  return inflating_file(path, file);
}

result<size_t> inflating_file::read(std::span<std::byte> into) {
  size_t filled = 0;
  while (filled < into.size()) {
    auto wanted = std::min(into.size() - filled, piece);
    auto got = gzread(file_.get(), into.data() + filled, static_cast<unsigned>(wanted));
    int status = Z_OK;
    gzerror(file_.get(), &status);
    if (status == Z_ERRNO)
      return {errc::io, path_ + " cannot be read: check the disk."};
    if (got < 0)
      return damaged(path_, "is not readable as gzip");
    // At the end of a stream that was cut short zlib gives what there is, and says so here.
    if (status != Z_OK && status != Z_STREAM_END)
      return damaged(path_, "ends too early, in the middle of gzip's data");
    filled += static_cast<size_t>(got);
    if (static_cast<size_t>(got) < wanted)
      break;
  }
  return filled;
}

result<std::vector<std::byte>> inflate_file(const std::string& path, uint64_t most) {
  auto file = inflating_file::open(path);
  if (!file)
    return file.error();
  std::vector<std::byte> bytes;
  for (;;) {
    auto before = bytes.size();
    bytes.resize(before + piece);
    auto got = file->read(std::span(bytes).subspan(before));
    if (!got)
      return got.error();
    bytes.resize(before + *got);
    if (bytes.size() > most)
      return too_large(path, most);
    if (*got < piece)
      return bytes;
  }
}

struct inflater::stream {
  z_stream state{};
};

result<std::shared_ptr<const file_bytes>> file_bytes::open_unpacked(const std::string& path,
                                                                    uint64_t most) {
  auto plain = open(path);
  if (!plain || (*plain)->size() < gzip_magic.size())
    return plain;
  std::vector<std::byte> scratch;
  auto start = (*plain)->view(0, gzip_magic.size(), scratch);
  if (!start)
    return start.error();
  if (std::memcmp(start->data(), gzip_magic.data(), gzip_magic.size()) != 0)
    return plain;
  auto bytes = inflate_file(path, most);
  if (!bytes)
    return bytes.error();
  return of_memory(path, *std::move(bytes));
}

inflater::inflater() : stream_(std::make_unique<stream>()) {
  // Without a header of zlib's or gzip's own.
  TROUPE_ASSERT(inflateInit2(&stream_->state, -MAX_WBITS) == Z_OK);
}

inflater::~inflater() {
  inflateEnd(&stream_->state);
}

bool inflater::add(std::span<const std::byte> from, uint64_t most, std::vector<std::byte>& to) {
  auto& state = stream_->state;
  TROUPE_ASSERT(from.size() <= UINT32_MAX);
  // zlib does not write to its input; its type says otherwise.
  state.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data()));
  state.avail_in = static_cast<unsigned>(from.size());
  while (!ended_) {
    auto before = to.size();
    to.resize(before + piece);
    state.next_out = reinterpret_cast<Bytef*>(to.data() + before);
    state.avail_out = static_cast<unsigned>(piece);
    auto status = ::inflate(&state, Z_NO_FLUSH);
    to.resize(before + piece - state.avail_out);
    if (to.size() > most)
      return false;
    ended_ = status == Z_STREAM_END;
    if (status == Z_BUF_ERROR || (status == Z_OK && state.avail_out != 0))
      return true; // it wants more
    if (status != Z_OK && !ended_)
      return false;
  }
  return state.avail_in == 0;
}

uint32_t crc32_of(std::span<const std::byte> bytes, uint32_t before) {
  return static_cast<uint32_t>(
    crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

} // namespace troupe::training
