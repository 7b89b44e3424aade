#include "actors/packages/package_desk.hpp"

#include "actors/packages/package_store.hpp"
#include "actors/packages/package_ticket.hpp"
#include "actors/packages/resource_rules.hpp"
#include "runtime/bulk_server.hpp"

namespace troupe {

namespace {

constexpr auto ticket_lifetime = std::chrono::minutes(1); // until its transfer begins

class bulk_desk final : public package_desk {
public:
  bulk_desk(std::unique_ptr<package_store> store, std::unique_ptr<bulk_server> local,
            std::unique_ptr<bulk_server> remote)
    : store_(std::move(store)), local_(std::move(local)), remote_(std::move(remote)) {}

  result<packages_lacking_msg> lacking(const find_packages_msg& asked) override {
    packages_lacking_msg out;
    for (auto& each : asked.hashes) {
      TROUPE_TRY(check(each));
      if (!store_->holds(each))
        out.hashes.push_back(each);
    }
    return out;
  }

  result<bulk_access_msg> push(const push_package_msg& asked) override {
    TROUPE_TRY(check(asked.hash));
    auto ticket
      = server(asked.remote).expect(store_->sink(asked.hash), asked.size, ticket_lifetime);
    if (!ticket)
      return ticket.error();
    return access_of(*ticket);
  }

  result<bulk_access_msg> fetch(const fetch_package_msg& asked) override {
    TROUPE_TRY(check(asked.hash));
    auto source = store_->source(asked.hash);
    if (!source)
      return source.error();
    auto ticket = server(asked.remote).offer(std::move(*source), ticket_lifetime);
    if (!ticket)
      return ticket.error();
    return access_of(*ticket);
  }

  void sweep(const std::set<std::string>& named) override { store_->sweep(named); }

private:
  bulk_server& server(bool remote) { return remote ? *remote_ : *local_; }

  static result<void> check(const std::string& hash) {
    if (is_hash(hash))
      return {};
    return {errc::invalid, "a package was asked for by what is no SHA-256; give 64 lower-case "
                           "hexadecimal digits"};
  }

  std::unique_ptr<package_store> store_; // the servers use it until their end
  std::unique_ptr<bulk_server> local_;
  std::unique_ptr<bulk_server> remote_;
};

} // namespace

result<std::unique_ptr<package_desk>> open_package_desk(const std::string& directory,
                                                        const std::string& local,
                                                        const std::string& remote,
                                                        const clock& time) {
  auto store = package_store::open(directory, time);
  if (!store)
    return store.error();
  auto near = start_bulk_server(local);
  if (!near)
    return near.error();
  auto far = start_bulk_server("tls:" + remote);
  if (!far)
    return far.error();
  return std::make_unique<bulk_desk>(std::move(*store), std::move(*near), std::move(*far));
}

result<void> check_packages(const job_spec_msg& job, package_desk& desk) {
  for (auto& type : job.tasks) {
    if (!type)
      continue;
    for (auto& each : type->resources) {
      if (!each || !is_hash(each->hash))
        continue; // admission says what is wrong with it
      find_packages_msg asked;
      asked.hashes.push_back(each->hash);
      auto lacking = desk.lacking(asked);
      if (!lacking)
        return lacking.error();
      if (!lacking->hashes.empty())
        return {errc::not_found, "the master does not have the package of resource \""
                                   + printable(each->name)
                                   + "\"; submit the job again, which brings it"};
    }
  }
  return {};
}

} // namespace troupe
