#include "launcher/http_tunnel.hpp"

#include "launcher/http_answers.hpp"
#include "runtime/base/owned_fd.hpp"
#include "runtime/tcp_socket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace troupe::launcher {

namespace {

constexpr auto connect_time = std::chrono::seconds(5);
constexpr auto send_time = std::chrono::seconds(30);
constexpr auto idle_max = std::chrono::minutes(10);

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
    a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The cookies but ours.
std::string other_cookies(std::string_view all) {
  std::string out;
  while (!all.empty()) {
    auto end = std::min(all.find(';'), all.size());
    auto pair = all.substr(0, end);
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (!pair.empty() && pair.substr(0, pair.find('=')) != token_cookie)
      out.append(out.empty() ? "" : "; ").append(pair);
    all.remove_prefix(std::min(all.size(), end + 1));
  }
  return out;
}

// What concerns one connection only (RFC 9110, 7.6.1), and what is not for the task to see.
bool stays_behind(const std::string& name) {
  static constexpr std::array<std::string_view, 9> names{
    "connection",          "keep-alive", "te",     "trailer",      "upgrade",
    "proxy-authorization", "expect",     "cookie", "authorization"};
  return std::ranges::find(names, name) != names.end();
}

http_request for_task(const http_request& x, const ui_path& where, std::string_view token,
                      bool upgrade) {
  auto out = x;
  out.path = where.rest;
  out.query = without_token(x.query);
  std::erase_if(out.headers, [](auto& each) { return stays_behind(each.name); });
  for (auto& each : x.headers) {
    if (each.name == "cookie")
      if (auto others = other_cookies(each.value); !others.empty())
        out.headers.push_back({each.name, others});
    if (each.name == "authorization" && !has_token(x, token))
      out.headers.push_back(each);
    if (each.name == "upgrade" && upgrade)
      out.headers.push_back(each);
  }
  out.headers.push_back({"connection", upgrade ? "upgrade" : "close"});
  out.headers.push_back({"x-forwarded-prefix", where.prefix});
  return out;
}

// A cookie of one UI is for no other one, and none of them is the token's; empty: it is.
std::string own_cookie(std::string_view cookie, const std::string& prefix) {
  std::string out;
  for (size_t part = 0; !cookie.empty(); ++part) {
    auto end = std::min(cookie.find(';'), cookie.size());
    auto each = cookie.substr(0, end);
    each.remove_prefix(std::min(each.find_first_not_of(' '), each.size()));
    cookie.remove_prefix(std::min(cookie.size(), end + 1));
    auto name = each.substr(0, each.find('='));
    if (part == 0 && name == token_cookie)
      return {};
    if (part == 0 || !(same_word(name, "path") || same_word(name, "domain")))
      out.append(part == 0 ? "" : "; ").append(each);
  }
  return out + "; Path=" + prefix + "/";
}

std::string for_browser(http_answer x, const std::string& prefix) {
  auto upgraded = x.status == 101;
  for (auto& each : x.headers)
    if (each.name == "set-cookie")
      each.value = own_cookie(each.value, prefix);
  std::erase_if(x.headers, [&](auto& each) {
    return each.name == "keep-alive" || (each.name == "connection" && !upgraded)
           || each.name == "service-worker-allowed" // it would be above the prefix
           || (each.name == "set-cookie" && each.value.empty());
  });
  for (auto& each : x.headers)
    if (each.name == "location" && each.value.starts_with('/') && !each.value.starts_with("//"))
      each.value.insert(0, prefix);
  if (!upgraded)
    x.headers.push_back({"connection", "close"});
  return write_head(x.status, x.headers);
}

// One request on its way: bytes between the browser and the task, until either ends.
class tunnel {
public:
  tunnel(http_exchange& browser, int task, std::string prefix)
    : browser_(browser), task_(task), prefix_(std::move(prefix)),
      body_left_(browser.request().body_size) {}

  // True when the answer began: it is too late for one of ours.
  bool run(const std::string& head) {
    auto sent = send_all(task_, head, send_time) && pass_up(browser_.take());
    while (sent && step()) {
    }
    return head_passed_;
  }

private:
  bool step() {
    auto takes_more = both_ways_ || body_left_ > 0;
    std::array<pollfd, 2> seen{
      {{browser_.socket(), static_cast<short>(takes_more ? POLLIN : POLLRDHUP), 0},
       {task_, POLLIN, 0}}};
    constexpr auto wait = std::chrono::milliseconds(idle_max).count();
    if (::poll(seen.data(), seen.size(), static_cast<int>(wait)) <= 0)
      return false;
    std::string down;
    if (seen[1].revents != 0 && !(receive_some(task_, down, {}) && pass_down(std::move(down))))
      return false;
    std::string up;
    return seen[0].revents == 0
           || (takes_more && receive_some(browser_.socket(), up, {}) && pass_up(std::move(up)));
  }

  // What the browser sent behind its body is no part of this request.
  bool pass_up(std::string bytes) {
    if (!both_ways_) {
      bytes.resize(std::min<uint64_t>(bytes.size(), body_left_));
      body_left_ -= bytes.size();
    }
    return send_all(task_, bytes, send_time);
  }

  bool pass_down(std::string bytes) {
    if (head_passed_)
      return send_all(browser_.socket(), bytes, send_time);
    received_ += bytes;
    while (!head_passed_) {
      auto size = size_of_head(received_);
      if (size == 0)
        return received_.size() <= http_head_max;
      auto answer = parse_answer(std::string_view{received_}.substr(0, size));
      if (!answer)
        return false;
      received_.erase(0, size);
      if (answer->status == 101 && !has_word(browser_.request().headers, "connection", "upgrade"))
        return false;
      if (answer->status >= 200 || answer->status == 101)
        pass_head(std::move(*answer));
    }
    return send_all(browser_.socket(), std::exchange(received_, {}), send_time);
  }

  void pass_head(http_answer answer) {
    head_passed_ = true;
    both_ways_ = answer.status == 101;
    received_.insert(0, for_browser(std::move(answer), prefix_));
  }

  http_exchange& browser_;
  const int task_;
  const std::string prefix_;
  uint64_t body_left_;
  bool both_ways_ = false;
  bool head_passed_ = false;
  std::string received_; // of the task's answer, until its head is whole
};

} // namespace

ui_path split_ui_path(const std::string& path) {
  auto behind_job = path.find('/', ui_paths.size());
  auto behind_task = behind_job == std::string::npos ? behind_job : path.find('/', behind_job + 1);
  if (behind_task == std::string::npos)
    return {path, {}};
  return {path.substr(0, behind_task), path.substr(behind_task)};
}

// The query without the token.
std::string without_token(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    auto end = std::min(query.find('&'), query.size());
    auto pair = query.substr(0, end);
    if (!pair.starts_with("token="))
      out.append(out.empty() ? "" : "&").append(pair);
    query.remove_prefix(std::min(query.size(), end + 1));
  }
  return out;
}

void pass_on(http_exchange& x, const ui_address& to, const ui_path& where, std::string_view token) {
  auto& request = x.request();
  if (request.chunked)
    return answer_error(x, 411, "the body of a request to a UI has to say its size");
  auto connected
    = connect_tcp(to.host + ":" + std::to_string(to.port), system_clock{}.now() + connect_time);
  if (!connected)
    return answer_error(x, 502, "the UI of this task does not answer; it may still be starting");
  owned_fd task{*connected};
  auto upgrade = has_word(request.headers, "connection", "upgrade");
  tunnel between{x, task.get(), where.prefix};
  if (!between.run(write_head(for_task(request, where, token, upgrade))))
    answer_error(x, 502, "the UI of this task gave no answer that is HTTP");
}

} // namespace troupe::launcher
