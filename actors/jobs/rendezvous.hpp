// Where the ranks of a Horovod job meet: a key-value store over HTTP, as Horovod's own driver
// serves it to gloo.
//
//   PUT /scope/key     200
//   GET /scope/key     200 with the value, 404 until it was put
//   DELETE /scope/key  200. In a scope of the slot plan a rank says so that it is done: the scope
//                      is emptied when as many have as the plan has ranks there. In any other, the
//                      key is gone.
//
// Guarantees: a request that is none is answered with 400, one that is too big with 413; each
// connection carries one request. Limits: a value of 1 MiB, 64 MiB in all, 1024 connections, 10 s
// for each. Whoever reaches the port may read and write, as with Horovod's driver.
// Threads: the store is plain code; the server has a thread of its own.
// Source: Horovod 0.28, horovod/runner/http/http_server.py and horovod/common/gloo/http_store.cc.
#pragma once

#include "runtime/base/owned_fd.hpp"
#include "runtime/base/result.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

namespace troupe {

using rendezvous_scopes = std::map<std::string, size_t>; // of the slot plan: how many ranks

class rendezvous_store {
public:
  explicit rendezvous_store(rendezvous_scopes plan) : plan_(std::move(plan)) {}

  // The response to what a connection has sent so far; empty while more is to come.
  std::optional<std::string> reply(std::string_view sent);

private:
  std::string put(const std::string& scope, const std::string& key, std::string_view value);
  std::string get(const std::string& scope, const std::string& key) const;
  std::string remove(const std::string& scope, const std::string& key);

  rendezvous_scopes plan_;
  std::map<std::string, std::map<std::string, std::string>> values_;
  std::map<std::string, std::set<std::string>> done_;
  size_t bytes_ = 0;
};

class rendezvous_server {
public:
  // Serves at a socket that is bound. errc::io: it cannot listen.
  static result<std::unique_ptr<rendezvous_server>> start(owned_fd bound, rendezvous_scopes plan);
  ~rendezvous_server();

  rendezvous_server(const rendezvous_server&) = delete;
  rendezvous_server& operator=(const rendezvous_server&) = delete;

private:
  rendezvous_server(owned_fd listening, owned_fd end, rendezvous_scopes plan);
  void serve();

  owned_fd listening_;
  owned_fd end_; // an eventfd: the thread is to end
  rendezvous_store store_;
  std::thread thread_;
};

} // namespace troupe
