// The cluster as JSON over HTTP, to be read only: what the commands print with --json, at the paths
// that docs/openapi.json describes.
//
// Every path but those of `open_paths` asks for the token of the cluster, as a bearer's. An error
// is {"error": "one sentence"} with the status that belongs to it.
// Threads: any, many at a time; a thread that follows a log holds its connection, not a client.
#pragma once

#include "launcher/client_pool.hpp"
#include "runtime/http_server.hpp"

#include <span>

namespace troupe::launcher {

// A path as OpenAPI writes it, and the parameters that its query may have.
struct api_path {
  std::string_view path;
  std::vector<std::string_view> parameters;
};

std::vector<api_path> api_paths();

// The text of docs/openapi.json.
std::string_view openapi_text();

class http_api {
public:
  http_api(client_pool& clients, std::string token) : clients_(clients), token_(std::move(token)) {}

  void answer(http_exchange& x) const;

private:
  client_pool& clients_;
  const std::string token_;
};

} // namespace troupe::launcher
