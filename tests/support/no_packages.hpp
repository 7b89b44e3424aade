// Packages of a cluster that has none.
#pragma once

#include "actors/packages/package_cache.hpp"
#include "actors/packages/package_desk.hpp"

namespace troupe::testing {

class empty_desk final : public package_desk {
public:
  result<packages_lacking_msg> lacking(const find_packages_msg& asked) override {
    packages_lacking_msg out;
    out.hashes = asked.hashes;
    return out;
  }
  result<bulk_access_msg> push(const push_package_msg&) override { return none(); }
  result<bulk_access_msg> fetch(const fetch_package_msg&) override { return none(); }
  void sweep(const std::set<std::string>&) override {}

private:
  static error none() { return {errc::not_found, "there are no packages here"}; }
};

class empty_cache final : public package_cache {
public:
  std::vector<cached> found() override { return {}; }
  bool remote() const override { return false; }
  void fetch(const std::string& hash, const bulk_access_msg&,
             std::function<void(fetch_outcome)> ended) override {
    ended({hash, 0, {errc::not_found, "there are no packages here"}});
  }
  void cancel(const std::string&) override {}
  void drop(const std::string&) override {}
  void stop() override {}
};

} // namespace troupe::testing
