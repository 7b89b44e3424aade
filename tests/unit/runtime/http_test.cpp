#include "runtime/http_server.hpp"
#include "tests/support/raw_http.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

using testing::ask_raw;
using testing::raw_http;

const std::string host = "Host: here\r\n";

std::string get(const std::string& path, const std::string& more = {}) {
  return "GET " + path + " HTTP/1.1\r\n" + host + more + "\r\n";
}

TEST(HttpMessage, ReadsARequest) {
  auto head = parse_request("POST /a%20b/c?x=1&y=%2F+z HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                            "Cookie: a=b; c=d\r\nConnection: Keep-Alive, Upgrade\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(*parts_of(head->path), (std::vector<std::string>{"a b", "c"}));
  EXPECT_EQ(*parse_query(head->query),
            (std::map<std::string, std::string>{{"x", "1"}, {"y", "/ z"}}));
  EXPECT_EQ(head->body_size, 5u);
  EXPECT_TRUE(head->keep_alive);
  EXPECT_TRUE(has_word(head->headers, "connection", "upgrade"));
  EXPECT_EQ(cookie_of(head->headers, "c"), "d");
  EXPECT_EQ(cookie_of(head->headers, "b"), "");
}

TEST(HttpMessage, RefusesWhatIsAmbiguous) {
  for (std::string line :
       {"GET / HTTP/1.1", "GET  / HTTP/1.1\r\nHost: h", "GET / HTTP/2\r\nHost: h",
        "GET a HTTP/1.1\r\nHost: h", "G(T / HTTP/1.1\r\nHost: h", "GET /\x01 HTTP/1.1\r\nHost: h",
        "GET / HTTP/1.1\r\nHost : h", "GET / HTTP/1.1\r\nHost: h\r\n folded: x",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked",
        "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked"})
    EXPECT_FALSE(parse_request(line + "\r\n\r\n")) << line;
  std::string many = "GET / HTTP/1.1\r\n" + host;
  for (size_t i = 0; i < http_headers_max; ++i)
    many += "a: b\r\n";
  EXPECT_FALSE(parse_request(many + "\r\n"));
  for (auto* path : {"/%", "/%4", "/%zz", "/%00", "/%0a", "a"})
    EXPECT_FALSE(parts_of(path)) << path;
  for (auto* query : {"a=1&a=2", "a=%", "%1=a", "a=%0D"})
    EXPECT_FALSE(parse_query(query)) << query;
}

TEST(HttpMessage, ReadsAnAnswer) {
  auto head = parse_answer("HTTP/1.0 302 Found\r\nLocation: /there\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 302u);
  EXPECT_EQ(*find_header(head->headers, "location"), "/there");
  for (auto* text : {"", "HTTP/1.1\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
                     "SMTP 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nbad line\r\n\r\n"})
    EXPECT_FALSE(parse_answer(text)) << text;
}

std::unique_ptr<http_server> serve(http_server_options options, http_server::handler handle) {
  options.address = "127.0.0.1:0";
  auto started = http_server::start(options, std::move(handle));
  EXPECT_TRUE(started);
  return std::move(*started);
}

void say_path(http_exchange& x) {
  x.answer(200, {}, x.request().path);
}

TEST(HttpServer, AnswersOneRequestAfterTheOther) {
  auto server = serve({}, say_path);
  raw_http connection{server->address()};
  connection.send(get("/one") + get("/two"));
  EXPECT_NE(connection.receive_until("/one").find("200 OK"), std::string::npos);
  EXPECT_NE(connection.receive_until("/two").find("keep-alive"), std::string::npos);
  connection.send(get("/three", "Connection: close\r\n"));
  EXPECT_TRUE(connection.receive_all().ends_with("/three"));
}

TEST(HttpServer, SendsAnswersInPieces) {
  auto server = serve({}, [](http_exchange& x) {
    auto begun = x.begin(200, {});
    if (begun && x.piece("one ") && x.piece("") && x.piece(std::string(20, 'x')))
      x.finish();
  });
  raw_http connection{server->address()};
  connection.send(get("/"));
  EXPECT_TRUE(connection.receive_until("\r\n0\r\n\r\n")
                .ends_with("\r\n\r\n4\r\none \r\n14\r\n" + std::string(20, 'x') + "\r\n0\r\n\r\n"));
  connection.send("HEAD / HTTP/1.1\r\n" + host + "\r\n");
  EXPECT_TRUE(connection.receive_all().ends_with("\r\n\r\n"));
  auto old = ask_raw(server->address(), "GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.ends_with("\r\n\r\none " + std::string(20, 'x'))) << old;
}

TEST(HttpServer, EndsAnAnswerThatWasNotFinished) {
  auto server = serve({}, [](http_exchange& x) {
    x.begin(200, {});
    x.piece("half");
  });
  EXPECT_TRUE(ask_raw(server->address(), get("/")).ends_with("4\r\nhalf\r\n"));
}

TEST(HttpServer, RefusesWhatIsNoRequest) {
  auto server = serve({}, say_path);
  EXPECT_TRUE(ask_raw(server->address(), "hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  auto big = ask_raw(server->address(), "GET / HTTP/1.1\r\nX: " + std::string(http_head_max, 'x'));
  EXPECT_TRUE(big.starts_with("HTTP/1.1 431 ")) << big.substr(0, 40);
  // What follows a body that nobody reads is not taken for a request.
  auto body = "POST / HTTP/1.1\r\n" + host + "Content-Length: 40\r\n\r\n" + get("/smuggled");
  EXPECT_EQ(ask_raw(server->address(), body).find("smuggled"), std::string::npos);
}

TEST(HttpServer, WaitsForNobodyForLong) {
  http_server_options options;
  options.head_time = std::chrono::milliseconds{20};
  auto server = serve(options, say_path);
  EXPECT_EQ(ask_raw(server->address(), "GET / HT"), "");
}

TEST(HttpServer, TakesSoManyConnectionsAndNoMore) {
  http_server_options options;
  options.connections_max = 1;
  auto server = serve(options, say_path);
  raw_http first{server->address()};
  first.send(get("/first"));
  first.receive_until("/first");
  EXPECT_TRUE(ask_raw(server->address(), get("/")).starts_with("HTTP/1.1 503 "));
  first.send(get("/again"));
  EXPECT_TRUE(first.receive_until("/again").starts_with("HTTP/1.1 200 "));
}

TEST(HttpServer, EndsWithOpenConnections) {
  auto server = serve({}, say_path);
  raw_http idle{server->address()};
  idle.send(get("/first"));
  idle.receive_until("/first");
  server.reset();
  EXPECT_EQ(idle.receive_all(), "");
}

TEST(HttpServer, SaysWhyItCannotListen) {
  auto server = serve({}, say_path);
  http_server_options options;
  for (auto& address : {server->address(), std::string{"here"}, std::string{"127.0.0.1:"}}) {
    options.address = address;
    EXPECT_FALSE(http_server::start(options, say_path)) << address;
  }
}

} // namespace
} // namespace troupe
