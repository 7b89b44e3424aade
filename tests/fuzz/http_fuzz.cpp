// What a stranger may send to the HTTP server, and a task's UI to the proxy.
#include "runtime/http_message.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>

#include <array>

namespace troupe::testing {
namespace {

std::string damaged(std::string text, random_source& random) {
  if (random.chance(0.2))
    return text;
  byte_vector bytes{text.begin(), text.end()};
  mutate(bytes, byte_vector(bytes), random);
  return {bytes.begin(), bytes.end()};
}

std::string target(random_source& random) {
  static constexpr std::array<std::string_view, 8> pieces{"/jobs",  "/%41", "/worker:0", "?a=1",
                                                          "&b=%20", "+",    "/",         "=%zz"};
  std::string out = "/";
  for (auto n = random.below(6); n != 0; --n)
    out += pieces[random.below(pieces.size())];
  return out;
}

// What it reads it also writes, and reads again as the same.
void check_request(const std::string& text) {
  auto size = size_of_head(text);
  if (size == 0)
    return;
  auto read = parse_request(std::string_view{text}.substr(0, size));
  if (!read)
    return;
  ASSERT_LE(read->headers.size(), http_headers_max);
  auto again = parse_request(write_head(*read));
  ASSERT_TRUE(again || !read->keep_alive) << text; // HTTP/1.0 needs no host
  if (again) {
    EXPECT_EQ(write_head(*again), write_head(*read));
    EXPECT_EQ(again->body_size, read->body_size);
  }
  static_cast<void>(cookie_of(read->headers, "troupe_token"));
  static_cast<void>(parts_of(read->path));
  static_cast<void>(parse_query(read->query));
}

TEST(FuzzHttp, RequestsAreReadOrRefused) {
  fuzz("RequestsAreReadOrRefused", 2000, [](random_source& random) {
    auto text = "GET " + target(random)
                + " HTTP/1.1\r\nHost: h\r\nCookie: a=b; troupe_token=c\r\nContent-Length: 7\r\n"
                  "Connection: keep-alive, upgrade\r\n\r\n";
    check_request(damaged(std::move(text), random));
  });
}

TEST(FuzzHttp, AnswersAreReadOrRefused) {
  fuzz("AnswersAreReadOrRefused", 1000, [](random_source& random) {
    auto text
      = damaged("HTTP/1.1 302 Found\r\nLocation: /a\r\nSet-Cookie: a=b\r\n\r\nbody", random);
    if (auto read = parse_answer(std::string_view{text}.substr(0, size_of_head(text)))) {
      EXPECT_TRUE(parse_answer(write_head(read->status, read->headers))) << text;
    }
  });
}

TEST(FuzzHttp, QueriesAreReadOrRefused) {
  fuzz("QueriesAreReadOrRefused", 1000, [](random_source& random) {
    auto text = damaged(target(random), random);
    static_cast<void>(parse_query(text));
    auto parts = parts_of(text);
    EXPECT_TRUE(text.empty() || text.starts_with('/') || !parts);
  });
}

} // namespace
} // namespace troupe::testing
