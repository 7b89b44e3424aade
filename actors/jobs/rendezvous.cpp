#include "actors/jobs/rendezvous.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <vector>

namespace troupe {
namespace {

constexpr size_t head_max = 8192;
constexpr size_t value_max = 1 << 20;
constexpr size_t bytes_max = 64 << 20;
constexpr size_t connections_max = 1024;
constexpr auto patience = std::chrono::seconds{10}; // with one connection

std::string response(std::string_view status, std::string_view body = {}) {
  std::string out{"HTTP/1.1 "};
  out.append(status).append("\r\nConnection: close\r\nContent-Length: ");
  return out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// The length that the head gives its body; nothing where it is no number.
std::optional<size_t> length_of(std::string_view head) {
  constexpr std::string_view field = "\r\ncontent-length:";
  std::string small{head};
  for (auto& c : small)
    c = lower(c);
  auto at = small.find(field);
  if (at == std::string::npos)
    return 0;
  at = small.find_first_not_of(' ', at + field.size());
  size_t out = 0;
  auto* end = small.data() + small.size();
  if (at == std::string::npos || std::from_chars(small.data() + at, end, out).ec != std::errc{})
    return {};
  return out;
}

struct connection {
  owned_fd socket;
  std::chrono::steady_clock::time_point until;
  std::string received;
  std::string to_send; // once there is one, the request has been read
  bool over = false;
};

void receive(connection& x, rendezvous_store& store) {
  std::array<char, 16384> bytes;
  auto got = ::read(x.socket.get(), bytes.data(), bytes.size());
  if (got <= 0) {
    x.over = got == 0 || (errno != EAGAIN && errno != EINTR);
    return;
  }
  x.received.append(bytes.data(), static_cast<size_t>(got));
  if (auto reply = store.reply(x.received))
    x.to_send = std::move(*reply);
}

void transmit(connection& x) {
  auto sent = ::send(x.socket.get(), x.to_send.data(), x.to_send.size(), MSG_NOSIGNAL);
  if (sent < 0)
    x.over = errno != EAGAIN && errno != EINTR;
  else
    x.to_send.erase(0, static_cast<size_t>(sent));
  x.over = x.over || x.to_send.empty();
}

} // namespace

std::string rendezvous_store::put(const std::string& scope, const std::string& key,
                                  std::string_view value) {
  auto found = values_.find(scope);
  auto known = found != values_.end() && found->second.contains(key);
  auto before = known ? found->second[key].size() : 0;
  auto after = bytes_ - before + value.size() + (known ? 0 : scope.size() + key.size());
  if (after > bytes_max)
    return response("413 Content Too Large");
  bytes_ = after;
  values_[scope][key] = value;
  return response("200 OK");
}

std::string rendezvous_store::get(const std::string& scope, const std::string& key) const {
  auto found = values_.find(scope);
  if (found == values_.end() || !found->second.contains(key))
    return response("404 Not Found");
  return response("200 OK", found->second.at(key));
}

std::string rendezvous_store::remove(const std::string& scope, const std::string& key) {
  auto planned = plan_.find(scope);
  auto found = values_.find(scope);
  if (planned != plan_.end()) {
    auto& done = done_[scope];
    if (done.size() < planned->second)
      done.insert(key);
    if (done.size() < planned->second)
      return response("200 OK");
    done_.erase(scope);
  }
  if (found != values_.end()) {
    for (auto x = found->second.begin(); x != found->second.end();)
      if (planned != plan_.end() || x->first == key) {
        bytes_ -= std::min(bytes_, scope.size() + x->first.size() + x->second.size());
        x = found->second.erase(x);
      } else {
        ++x;
      }
    if (found->second.empty())
      values_.erase(found);
  }
  return response("200 OK");
}

std::optional<std::string> rendezvous_store::reply(std::string_view sent) {
  auto end = sent.find("\r\n\r\n");
  if (end == std::string_view::npos)
    return sent.size() > head_max ? std::optional{response("400 Bad Request")} : std::nullopt;
  auto head = sent.substr(0, end);
  auto body = sent.substr(end + 4);
  auto length = length_of(head);
  auto method = head.substr(0, head.find(' '));
  auto path = head.substr(std::min(head.size(), method.size() + 1));
  path = path.substr(0, path.find_first_of(" \r"));
  auto slash = path.find('/', 1);
  if (head.size() > head_max || !length || !path.starts_with('/') || slash == std::string_view::npos
      || path.find('/', slash + 1) != std::string_view::npos)
    return response("400 Bad Request");
  if (*length > value_max)
    return response("413 Content Too Large");
  if (body.size() < *length)
    return {};
  std::string scope{path.substr(1, slash - 1)}, key{path.substr(slash + 1)};
  if (method == "GET")
    return get(scope, key);
  if (method == "PUT")
    return put(scope, key, body.substr(0, *length));
  if (method == "DELETE")
    return remove(scope, key);
  return response("405 Method Not Allowed");
}

result<std::unique_ptr<rendezvous_server>> rendezvous_server::start(owned_fd bound,
                                                                    rendezvous_scopes plan) {
  owned_fd end{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!end || ::fcntl(bound.get(), F_SETFL, O_NONBLOCK) != 0
      || ::listen(bound.get(), SOMAXCONN) != 0)
    return {errc::io,
            std::string{"the rendezvous of the job cannot listen: "}.append(std::strerror(errno))
              + "; free the task's port on its node"};
  return std::unique_ptr<rendezvous_server>{
    new rendezvous_server{std::move(bound), std::move(end), std::move(plan)}};
}

rendezvous_server::rendezvous_server(owned_fd listening, owned_fd end, rendezvous_scopes plan)
  : listening_(std::move(listening)), end_(std::move(end)), store_(std::move(plan)),
    thread_([this] { serve(); }) {}

rendezvous_server::~rendezvous_server() {
  uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(end_.get(), &one, sizeof one);
  thread_.join();
}

void rendezvous_server::serve() {
  std::vector<connection> open;
  for (;;) {
    std::vector<pollfd> seen{{end_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
    if (open.size() >= connections_max)
      seen[1].events = 0; // who comes now waits in the kernel's queue
    for (auto& x : open)
      seen.push_back({x.socket.get(), static_cast<short>(x.to_send.empty() ? POLLIN : POLLOUT), 0});
    ::poll(seen.data(), seen.size(), open.empty() ? -1 : 1000);
    if (seen[0].revents != 0)
      return;
    auto now = std::chrono::steady_clock::now();
    for (size_t i = 0; i < open.size(); ++i) {
      auto& x = open[i];
      if (seen[i + 2].revents != 0)
        x.to_send.empty() ? receive(x, store_) : transmit(x);
      x.over = x.over || now > x.until;
    }
    std::erase_if(open, [](auto& x) { return x.over; });
    if ((seen[1].revents & POLLIN) == 0)
      continue;
    owned_fd next{::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (next)
      open.push_back({std::move(next), now + patience, {}, {}, false});
  }
}

} // namespace troupe
