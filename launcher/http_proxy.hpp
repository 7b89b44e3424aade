// Shows the UIs of tasks, such as TensorBoard, behind the token of the cluster:
// /proxy/JOB/TASK/... is what the task's UI has at /... .
//
// A browser asks once with ?token=TOKEN and has a cookie from then on, for /proxy alone; programs
// bring the token as a bearer's. How a request is passed on: launcher/http_tunnel.hpp.
// Threads: any, many at a time.
#pragma once

#include "launcher/client_pool.hpp"
#include "runtime/http_server.hpp"

namespace troupe::launcher {

class http_proxy {
public:
  http_proxy(client_pool& clients, std::string token)
    : clients_(clients), token_(std::move(token)) {}

  // Whether a path is one of the proxy.
  static bool takes(std::string_view path);

  void answer(http_exchange& x) const;

private:
  client_pool& clients_;
  const std::string token_;
};

} // namespace troupe::launcher
