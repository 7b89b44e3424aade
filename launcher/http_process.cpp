// The HTTP server: a client of the cluster in a process of its own, so that no reader of it,
// however many there are and however slow, holds up the master.
#include "launcher/http_api.hpp"
#include "launcher/http_proxy.hpp"
#include "launcher/processes.hpp"
#include "runtime/keys.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace troupe::launcher {

namespace {

constexpr size_t clients_max = 8;

class http_role final : public running_role {
public:
  http_role(const std::string& directory, const std::string& token)
    : address_file_(http_address_file(directory)), clients_(directory, clients_max),
      api_(clients_, token), proxy_(clients_, token) {}

  ~http_role() override {
    std::error_code ignored;
    std::filesystem::remove(address_file_, ignored);
  }

  result<void> listen(const std::string& address) {
    auto started = http_server::start({address}, [this](http_exchange& x) {
      http_proxy::takes(x.request().path) ? proxy_.answer(x) : api_.answer(x);
    });
    if (!started)
      return started.error();
    server_ = std::move(*started);
    auto url = "http://" + server_->address() + "\n";
    std::ofstream{address_file_} << url;
    std::fputs(url.c_str(), stdout);
    std::fflush(stdout);
    return {};
  }

private:
  const std::string address_file_;
  client_pool clients_;
  const http_api api_;
  const http_proxy proxy_;
  std::unique_ptr<http_server> server_; // the last: it uses the others
};

} // namespace

std::string http_address_file(const std::string& directory) {
  return directory + "/http.address";
}

result<std::unique_ptr<running_role>> start_http(const std::string& directory,
                                                 const http_options& options) {
  if (!client::was_started(directory))
    return {errc::unavailable,
            "no cluster runs in " + directory + "; start one with: troupe up --dir " + directory};
  auto token = access_token(directory, "http");
  if (!token)
    return token.error();
  auto made = std::make_unique<http_role>(directory, *token);
  TROUPE_TRY(made->listen(options.listen));
  return std::unique_ptr<running_role>{std::move(made)};
}

} // namespace troupe::launcher
