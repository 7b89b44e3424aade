#include "runtime/http_server.hpp"

#include "runtime/base/owned_fd.hpp"
#include "runtime/tcp_socket.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <list>
#include <system_error>
#include <thread>

namespace troupe {
namespace {

constexpr auto refusal_time = std::chrono::milliseconds(100);
constexpr auto lingering_time = std::chrono::milliseconds(200);
constexpr size_t lingering_max = 64; // times 64 KiB

// `why` holds nothing that JSON would escape.
std::string refusal(uint32_t status, const std::string& why) {
  auto body = R"({"error": ")" + why + "\"}\n";
  return write_head(status, {{"content-type", "application/json"},
                             {"content-length", std::to_string(body.size())},
                             {"connection", "close"}})
    .append(body);
}

class connection {
public:
  connection(owned_fd socket, const http_server_options& options,
             const http_server::handler& handle)
    : socket_(std::move(socket)), options_(options), handle_(handle), thread_([this] {
        while (serve_next()) {
        }
        close_politely();
        over_ = true;
      }) {}

  ~connection() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  bool over() const noexcept { return over_; }

private:
  // 0: no head came.
  size_t receive_head() {
    auto end = std::chrono::steady_clock::now() + options_.head_time;
    for (;;) {
      if (auto size = size_of_head(received_))
        return size;
      if (received_.size() > http_head_max)
        return received_.size();
      auto left = end - std::chrono::steady_clock::now();
      if (left <= duration{} || !receive_some(socket_.get(), received_, left))
        return 0;
    }
  }

  bool serve_next() {
    auto size = receive_head();
    if (size == 0)
      return false;
    if (size > http_head_max)
      return refuse(431, "the head of this request is longer than 16 KiB; send less");
    auto request = parse_request(std::string_view{received_}.substr(0, size));
    received_.erase(0, size);
    if (!request)
      return refuse(400, request.error().text);
    http_exchange exchange{socket_.get(), std::move(*request), received_, options_.send_time};
    handle_(exchange);
    return exchange.may_go_on();
  }

  // A socket that is closed while bytes wait to be read takes the answer back (RFC 9112, 9.6).
  void close_politely() {
    ::shutdown(socket_.get(), SHUT_WR);
    for (size_t i = 0; i < lingering_max; ++i)
      if (received_.clear(); !receive_some(socket_.get(), received_, lingering_time))
        break;
    ::shutdown(socket_.get(), SHUT_RDWR);
  }

  bool refuse(uint32_t status, const std::string& why) {
    send_all(socket_.get(), refusal(status, why), options_.send_time);
    return false;
  }

  const owned_fd socket_;
  const http_server_options& options_;
  const http_server::handler& handle_;
  std::string received_;
  std::atomic<bool> over_ = false;
  std::thread thread_; // the last: it uses the others
};

class server final : public http_server {
public:
  server(http_server_options options, handler answer, owned_fd listening, owned_fd end)
    : options_(std::move(options)), handle_(std::move(answer)), listening_(std::move(listening)),
      end_(std::move(end)), thread_([this] { accept_all(); }) {}

  ~server() override {
    uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(end_.get(), &one, sizeof one);
    thread_.join();
  }

  const std::string& address() const noexcept override { return options_.address; }

private:
  void accept_all() {
    std::list<connection> open;
    for (;;) {
      std::array<pollfd, 2> seen{{{end_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}}};
      ::poll(seen.data(), seen.size(), open.empty() ? -1 : 1000);
      if (seen[0].revents != 0)
        return;
      open.remove_if([](auto& x) { return x.over(); });
      if (seen[1].revents == 0)
        continue;
      owned_fd next{::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!next) // no descriptor is left: one may be closed in a moment
        ::poll(seen.data(), 1, 100);
      else if (open.size() < options_.connections_max)
        begin(open, std::move(next));
      else
        send_all(next.get(), refusal(503, "too many connections are open; come again"),
                 refusal_time);
    }
  }

  // Without a thread for it, the connection is closed.
  void begin(std::list<connection>& open, owned_fd socket) const {
    try {
      open.emplace_back(std::move(socket), options_, handle_);
    } catch (const std::system_error&) {
    }
  }

  const http_server_options options_;
  const handler handle_;
  const owned_fd listening_;
  const owned_fd end_; // an eventfd: the thread is to end
  std::thread thread_;
};

} // namespace

http_exchange::http_exchange(int socket, http_request asked, std::string& received,
                             duration send_time)
  : socket_(socket), request_(std::move(asked)), received_(received), send_time_(send_time),
    go_on_(request_.keep_alive && request_.body_size == 0 && !request_.chunked) {}

bool http_exchange::send(std::string_view bytes) {
  auto sent = send_all(socket_, bytes, send_time_);
  go_on_ = go_on_ && sent;
  return sent;
}

void http_exchange::answer(uint32_t status, http_headers headers, std::string_view body) {
  headers.push_back({"content-length", std::to_string(body.size())});
  headers.push_back({"connection", go_on_ ? "keep-alive" : "close"});
  auto all = write_head(status, headers);
  if (request_.method != "HEAD")
    all.append(body);
  send(all);
}

bool http_exchange::begin(uint32_t status, http_headers headers) {
  // Without chunks, the end of the connection is the end of the answer.
  chunked_ = go_on_ && request_.method != "HEAD";
  go_on_ = false;
  if (chunked_)
    headers.push_back({"transfer-encoding", "chunked"});
  headers.push_back({"connection", chunked_ ? "keep-alive" : "close"});
  return send(write_head(status, headers)) && request_.method != "HEAD";
}

bool http_exchange::piece(std::string_view bytes) {
  if (bytes.empty())
    return true; // an empty chunk would be the last
  if (!chunked_)
    return send(bytes);
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  return send(std::string{size.data()}.append(bytes).append("\r\n"));
}

void http_exchange::finish() {
  go_on_ = chunked_ && send_all(socket_, "0\r\n\r\n", send_time_);
}

std::string http_exchange::take() {
  go_on_ = false;
  return std::exchange(received_, {});
}

bool http_exchange::is_left(duration wait) const {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count();
  pollfd seen{socket_, POLLRDHUP, 0};
  return ::poll(&seen, 1, static_cast<int>(ms)) > 0;
}

result<std::unique_ptr<http_server>> http_server::start(http_server_options options,
                                                        handler answer) {
  auto& address = options.address;
  if (address.find(':') == std::string::npos)
    address.insert(0, "127.0.0.1:");
  auto fd = listen_tcp(address);
  if (!fd)
    return fd.error();
  owned_fd listening{*fd};
  address.replace(address.rfind(':') + 1, std::string::npos, port_of(listening.get()));
  owned_fd end{::eventfd(0, EFD_CLOEXEC)};
  if (!end)
    return {errc::io, "no descriptor is left for the HTTP server; raise the limit of open files"};
  return std::unique_ptr<http_server>{std::make_unique<server>(
    std::move(options), std::move(answer), std::move(listening), std::move(end))};
}

} // namespace troupe
