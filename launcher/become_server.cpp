// The commands that need more than a question to the master, as `troupe` has them: it becomes
// troupe-server, with the same words.
//
// Why there are two: a command that asks takes a few milliseconds, and loading RocksDB, OpenSSL and
// ZeroMQ, which only roles and their keys need, would take three times as long.
#include "launcher/become.hpp"
#include "launcher/submission.hpp"

namespace troupe::launcher {

namespace {

int become_server(const shared_options& shared) {
  return become(shared, "troupe-server");
}

} // namespace

int up(const shared_options& shared, const up_options&) {
  return become_server(shared);
}

int down(const shared_options& shared) {
  return become_server(shared);
}

int add_key(const shared_options& shared, const std::string&) {
  return become_server(shared);
}

int write_bundle(const shared_options& shared, const std::string&) {
  return become_server(shared);
}

int run_master(const shared_options& shared, const head_options&) {
  return become_server(shared);
}

int run_node(const shared_options& shared, const node_options&) {
  return become_server(shared);
}

int run_http(const shared_options& shared, const http_options&) {
  return become_server(shared);
}

int submit_embedded(const shared_options& shared, const submit_options&, submission) {
  return become_server(shared);
}

int submit_with_resources(const shared_options& shared, const submit_options&, submission) {
  return become_server(shared);
}

} // namespace troupe::launcher
