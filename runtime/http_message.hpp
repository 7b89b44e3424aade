// The heads of HTTP/1.1 messages (RFC 9112), as plain code: read from what a stranger sent, and
// written. What is ambiguous there is refused: a body of two lengths, a folded line, a bare CR.
// Limits: http_head_max bytes, http_headers_max lines. Threads: plain functions and values.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

inline constexpr size_t http_head_max = 16 << 10;
inline constexpr size_t http_headers_max = 100;

struct http_header {
  std::string name; // in lower case
  std::string value;
};

using http_headers = std::vector<http_header>;

// The first of that name (in lower case); null: there is none.
const std::string* find_header(const http_headers& all, std::string_view name);

// Whether a list such as that of `connection` has the word, in any case.
bool has_word(const http_headers& all, std::string_view name, std::string_view word);

struct http_request {
  std::string method; // "GET"
  std::string path;   // as it was sent: "/jobs/a%20b"
  std::string query;  // as it was sent, behind the question mark
  http_headers headers;
  uint64_t body_size = 0;
  bool chunked = false;    // the body's size is said in the body
  bool keep_alive = false; // another request may follow
};

// What a server answered, or a server behind us.
struct http_answer {
  uint32_t status = 200;
  http_headers headers;
};

// How many bytes the head at the beginning of `received` has, with the empty line at its end; 0:
// the end has not come. A line ends with CR LF.
size_t size_of_head(std::string_view received);

// `head` is a whole one. errc::invalid: it is none; the text says what is wrong.
result<http_request> parse_request(std::string_view head);
result<http_answer> parse_answer(std::string_view head);

// "/a%20b/c" -> {"a b", "c"}; errc::invalid: a part is badly escaped, or holds a byte below 32.
result<std::vector<std::string>> parts_of(std::string_view path);

// "a=1&b=x%20y" -> {a: "1", b: "x y"}; errc::invalid: as above, or a name that comes twice.
result<std::map<std::string, std::string>> parse_query(std::string_view query);

// A value of the `cookie` header; empty: there is none of that name.
std::string cookie_of(const http_headers& all, std::string_view name);

// "404 Not Found" and what follows the status line. No header's value may hold a line's end.
std::string write_head(uint32_t status, const http_headers& headers);
std::string write_head(const http_request& x);

} // namespace troupe
