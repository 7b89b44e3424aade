#include "runtime/http_message.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace troupe {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view head_end = "\r\n\r\n";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// RFC 9110, 5.6.2
bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z')
           || marks.find(c) != std::string_view::npos;
  });
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

bool is_target(std::string_view text) {
  return text.starts_with('/')
         && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number out = 0;
  auto end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, out);
  return read.ec == std::errc{} && read.ptr == end ? std::optional{out} : std::nullopt;
}

error bad(std::string what) {
  return {errc::invalid, what.insert(0, "this is no HTTP request: ")};
}

// The next line, taken off `from`; `from` is a whole head.
std::string_view take_line(std::string_view& from) {
  auto end = from.find(line_end);
  auto line = from.substr(0, end);
  from.remove_prefix(end == std::string_view::npos ? from.size() : end + line_end.size());
  return line;
}

result<http_headers> parse_headers(std::string_view lines) {
  http_headers out;
  for (auto line = take_line(lines); !line.empty(); line = take_line(lines)) {
    auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
      return bad("a header has no name");
    auto value = trimmed(line.substr(colon + 1));
    if (std::ranges::any_of(value, is_control))
      return bad("a header holds a control character");
    if (out.size() == http_headers_max)
      return bad("it has more than " + std::to_string(http_headers_max) + " headers");
    out.push_back({lower(line.substr(0, colon)), std::string{value}});
  }
  return out;
}

int value_of_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  auto small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

result<std::string> unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    if (c == '%') {
      auto high = i + 2 < text.size() ? value_of_digit(text[i + 1]) : -1;
      auto low = i + 2 < text.size() ? value_of_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return {errc::invalid, "the address has a '%' without two hexadecimal digits behind it"};
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (is_control(c))
      return {errc::invalid, "the address holds a control character"};
    out.push_back(c);
  }
  return out;
}

std::string_view phrase_of(uint32_t status) {
  switch (status) {
  case 101:
    return "Switching Protocols";
  case 200:
    return "OK";
  case 303:
    return "See Other";
  case 308:
    return "Permanent Redirect";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 411:
    return "Length Required";
  case 413:
    return "Content Too Large";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 502:
    return "Bad Gateway";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  default:
    return "Status";
  }
}

void append_headers(std::string& to, const http_headers& headers) {
  for (auto& each : headers)
    to.append(each.name).append(": ").append(each.value).append(line_end);
  to.append(line_end);
}

// How long the body is: said once, in one way.
result<void> read_size(http_request& x) {
  size_t lengths = 0;
  for (auto& each : x.headers) {
    if (each.name == "transfer-encoding" && lower(each.value) != "chunked")
      return bad("its transfer encoding is not 'chunked'");
    x.chunked = x.chunked || each.name == "transfer-encoding";
    if (each.name != "content-length")
      continue;
    auto size = number_of<uint64_t>(each.value);
    if (!size)
      return bad("its content length is no number");
    x.body_size = *size;
    ++lengths;
  }
  if (lengths + (x.chunked ? 1 : 0) > 1)
    return bad("it has two lengths");
  return {};
}

} // namespace

const std::string* find_header(const http_headers& all, std::string_view name) {
  auto found = std::ranges::find(all, name, &http_header::name);
  return found == all.end() ? nullptr : &found->value;
}

bool has_word(const http_headers& all, std::string_view name, std::string_view word) {
  for (auto& each : all) {
    std::string_view rest = each.value;
    while (each.name == name && !rest.empty()) {
      auto comma = rest.find(',');
      if (lower(trimmed(rest.substr(0, comma))) == word)
        return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

size_t size_of_head(std::string_view received) {
  auto end = received.find(head_end);
  return end == std::string_view::npos ? 0 : end + head_end.size();
}

result<http_request> parse_request(std::string_view head) {
  auto first = take_line(head);
  auto behind_method = first.find(' ');
  auto behind_target = first.rfind(' ');
  if (behind_method == std::string_view::npos || behind_method == behind_target)
    return bad("its first line is no METHOD TARGET VERSION");
  auto target = first.substr(behind_method + 1, behind_target - behind_method - 1);
  auto version = first.substr(behind_target + 1);
  http_request out;
  out.method = first.substr(0, behind_method);
  if (!is_token(out.method) || !is_target(target))
    return bad("its method or its target is none");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return bad("its version is not HTTP/1.1");
  auto question = target.find('?');
  out.path = target.substr(0, question);
  if (question != std::string_view::npos)
    out.query = target.substr(question + 1);
  auto headers = parse_headers(head);
  if (!headers)
    return headers.error();
  out.headers = std::move(*headers);
  TROUPE_TRY(read_size(out));
  if (version == "HTTP/1.1" && !find_header(out.headers, "host"))
    return bad("it names no host");
  out.keep_alive = version == "HTTP/1.1" && !has_word(out.headers, "connection", "close");
  return out;
}

result<http_answer> parse_answer(std::string_view head) {
  auto first = take_line(head);
  auto version = first.substr(0, first.find(' '));
  auto status = number_of<uint32_t>(first.substr(std::min(first.size(), version.size() + 1), 3));
  if ((version != "HTTP/1.1" && version != "HTTP/1.0") || !status || *status < 100)
    return {errc::invalid, "this is no HTTP answer"};
  auto headers = parse_headers(head);
  if (!headers)
    return {errc::invalid, "this is no HTTP answer"};
  return http_answer{*status, std::move(*headers)};
}

result<std::vector<std::string>> parts_of(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    if (!path.starts_with('/'))
      return {errc::invalid, "the address begins with no slash"};
    path.remove_prefix(1);
    auto slash = std::min(path.find('/'), path.size());
    auto part = unescape(path.substr(0, slash), false);
    if (!part)
      return part.error();
    out.push_back(std::move(*part));
    path.remove_prefix(slash);
  }
  return out;
}

result<std::map<std::string, std::string>> parse_query(std::string_view query) {
  std::map<std::string, std::string> out;
  while (!query.empty()) {
    auto end = std::min(query.find('&'), query.size());
    auto pair = query.substr(0, end);
    auto equals = std::min(pair.find('='), pair.size());
    auto name = unescape(pair.substr(0, equals), true);
    auto value = unescape(pair.substr(std::min(pair.size(), equals + 1)), true);
    if (!name || !value)
      return name ? value.error() : name.error();
    if (!pair.empty() && !out.emplace(std::move(*name), std::move(*value)).second)
      return {errc::invalid, "the query gives '" + printable(pair.substr(0, equals)) + "' twice"};
    query.remove_prefix(std::min(query.size(), end + 1));
  }
  return out;
}

std::string cookie_of(const http_headers& all, std::string_view name) {
  for (auto& each : all) {
    std::string_view rest = each.value;
    while (each.name == "cookie" && !rest.empty()) {
      auto end = std::min(rest.find(';'), rest.size());
      auto pair = trimmed(rest.substr(0, end));
      if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
        return std::string{pair.substr(name.size() + 1)};
      rest.remove_prefix(std::min(rest.size(), end + 1));
    }
  }
  return {};
}

std::string write_head(uint32_t status, const http_headers& headers) {
  auto out = std::string{"HTTP/1.1 "}.append(std::to_string(status)).append(1, ' ');
  out.append(phrase_of(status)).append(line_end);
  append_headers(out, headers);
  return out;
}

std::string write_head(const http_request& x) {
  auto out = x.method + " " + x.path;
  if (!x.query.empty())
    out.append(1, '?').append(x.query);
  out.append(" HTTP/1.1\r\n");
  append_headers(out, x.headers);
  return out;
}

} // namespace troupe
