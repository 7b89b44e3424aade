// The commands that need more than a question to the master, as `troupe` has them: it becomes
// troupe-server, with the same words.
//
// Why there are two: a command that asks takes a few milliseconds, and loading RocksDB, OpenSSL and
// ZeroMQ, which only roles and their keys need, would take three times as long.
#include "launcher/bundle_options.hpp"
#include "launcher/submission.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

namespace {

int become_server(const shared_options& shared) {
  std::ifstream in{"/proc/self/cmdline", std::ios::binary};
  std::vector<std::string> given;
  for (std::string word; std::getline(in, word, '\0');)
    given.push_back(word);
  std::vector<char*> words;
  for (auto& each : given)
    words.push_back(each.data());
  words.push_back(nullptr);
  auto server = (std::filesystem::path{shared.program}.parent_path() / "troupe-server").string();
  ::execv(server.c_str(), words.data());
  return complain({errc::io, "cannot run " + server + ": " + std::strerror(errno)
                               + "; build it with: cmake --build --preset release"});
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

int run_bundle_command(const shared_options& shared, const bundle_options&) {
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
