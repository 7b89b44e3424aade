#include "launcher/http_tunnel.hpp"
#include "tests/support/raw_http.hpp"

#include <gtest/gtest.h>

#include <charconv>

namespace troupe::launcher {
namespace {

using testing::ask_raw;
using testing::raw_http;

const std::string token = "the-token";
const std::string prefix = "/proxy/3/worker:0";

std::unique_ptr<http_server> serve(http_server::handler handle) {
  auto started = http_server::start({"127.0.0.1:0"}, std::move(handle));
  EXPECT_TRUE(started);
  return std::move(*started);
}

ui_address address_of(const http_server& x) {
  ui_address out{"127.0.0.1", 0};
  auto& text = x.address();
  std::from_chars(text.data() + text.rfind(':') + 1, text.data() + text.size(), out.port);
  return out;
}

// Passes everything on to one UI.
std::unique_ptr<http_server> proxy_of(ui_address ui) {
  return serve([ui](http_exchange& x) { pass_on(x, ui, split_ui_path(x.request().path), token); });
}

std::string request(const std::string& method, const std::string& path, const std::string& more) {
  return method + " " + prefix + path + " HTTP/1.1\r\nHost: here\r\n" + more + "\r\n";
}

// The request as it came.
void echo(http_exchange& x) {
  auto body = write_head(x.request());
  auto sent = x.take();
  while (sent.size() < x.request().body_size
         && receive_some(x.socket(), sent, std::chrono::seconds{20})) {
  }
  x.answer(200, {{"x-own", "1"}}, body + sent);
}

TEST(HttpTunnel, PassesARequestOnWithoutTheToken) {
  auto ui = serve(echo);
  auto proxy = proxy_of(address_of(*ui));
  auto got = ask_raw(proxy->address(),
                     request("PUT", "/a%20b?x=1&token=the-token",
                             "Cookie: mine=1; troupe_token=the-token\r\nContent-Length: 4\r\n"
                             "Authorization: Bearer the-token\r\nX-Mine: 2\r\n")
                       + "bodyGET /smuggled HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ")) << got;
  EXPECT_NE(got.find("x-own: 1\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("PUT /a%20b?x=1 HTTP/1.1\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("cookie: mine=1\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("x-mine: 2\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("x-forwarded-prefix: " + prefix + "\r\n"), std::string::npos) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\nbody")) << got;
  EXPECT_EQ(got.find(token), std::string::npos) << got;
}

TEST(HttpTunnel, PassesACredentialOfTheUiOn) {
  auto ui = serve(echo);
  auto proxy = proxy_of(address_of(*ui));
  auto got = ask_raw(proxy->address(), request("GET", "/", "Authorization: Basic abc\r\n"));
  EXPECT_NE(got.find("authorization: Basic abc\r\n"), std::string::npos) << got;
}

TEST(HttpTunnel, KeepsRedirectsBelowThePrefix) {
  auto ui = serve([](http_exchange& x) { x.answer(308, {{"location", "/login"}}, ""); });
  auto proxy = proxy_of(address_of(*ui));
  auto got = ask_raw(proxy->address(), request("GET", "/", ""));
  EXPECT_NE(got.find("location: " + prefix + "/login\r\n"), std::string::npos) << got;
}

TEST(HttpTunnel, CarriesBothWaysAfterAnUpgrade) {
  auto ui = serve([](http_exchange& x) {
    auto received = x.take();
    send_all(x.socket(), write_head(101, {{"connection", "upgrade"}, {"upgrade", "echo"}}),
             std::chrono::seconds{20});
    while (receive_some(x.socket(), received, std::chrono::seconds{20}))
      send_all(x.socket(), std::exchange(received, {}), std::chrono::seconds{20});
  });
  auto proxy = proxy_of(address_of(*ui));
  raw_http browser{proxy->address()};
  browser.send(request("GET", "/", "Connection: Upgrade\r\nUpgrade: echo\r\n"));
  EXPECT_NE(browser.receive_until("\r\n\r\n").find("101 Switching"), std::string::npos);
  for (std::string each : {"one", "two\r\n\r\n"}) {
    browser.send(each);
    EXPECT_EQ(browser.receive_until(each), each);
  }
}

TEST(HttpTunnel, KeepsCookiesBelowThePrefix) {
  auto ui = serve([](http_exchange& x) {
    x.answer(200,
             {{"set-cookie", "a=1; path=/; Domain=here; HttpOnly"},
              {"set-cookie", "troupe_token=mine"},
              {"service-worker-allowed", "/"}},
             "");
  });
  auto proxy = proxy_of(address_of(*ui));
  auto got = ask_raw(proxy->address(), request("GET", "/", ""));
  EXPECT_NE(got.find("set-cookie: a=1; HttpOnly; Path=" + prefix + "/\r\n"), std::string::npos)
    << got;
  EXPECT_EQ(got.find("troupe_token"), std::string::npos) << got;
  EXPECT_EQ(got.find("service-worker-allowed"), std::string::npos) << got;
}

TEST(HttpTunnel, IsNoTunnelWithoutAnUpgrade) {
  auto ui = serve([](http_exchange& x) {
    x.take();
    send_all(x.socket(), write_head(101, {{"connection", "upgrade"}}), std::chrono::seconds{20});
  });
  auto proxy = proxy_of(address_of(*ui));
  EXPECT_TRUE(ask_raw(proxy->address(), request("GET", "/", "")).starts_with("HTTP/1.1 502 "));
}

TEST(HttpTunnel, CarriesAnswersOfAnySize) {
  const std::string much(1 << 20, 'x');
  auto ui = serve([&](http_exchange& x) {
    x.begin(200, {});
    for (int i = 0; i < 4; ++i)
      x.piece(much);
    x.finish();
  });
  auto proxy = proxy_of(address_of(*ui));
  auto got = ask_raw(proxy->address(), request("GET", "/", ""));
  EXPECT_EQ(std::count(got.begin(), got.end(), 'x'), 4 << 20);
}

TEST(HttpTunnel, SaysWhatIsWrongWithAUi) {
  auto strange = serve([](http_exchange& x) {
    x.take();
    send_all(x.socket(), "hello\r\n\r\n", std::chrono::seconds{20});
  });
  auto proxy = proxy_of(address_of(*strange));
  EXPECT_TRUE(ask_raw(proxy->address(), request("GET", "/", "")).starts_with("HTTP/1.1 502 "));
  auto chunked = request("POST", "/", "Transfer-Encoding: chunked\r\n");
  EXPECT_TRUE(ask_raw(proxy->address(), chunked).starts_with("HTTP/1.1 411 "));
  auto gone = address_of(*strange);
  strange.reset();
  auto late = proxy_of(gone);
  auto last = request("GET", "/", "Connection: close\r\n");
  EXPECT_TRUE(ask_raw(late->address(), last).starts_with("HTTP/1.1 502 "));
}

} // namespace
} // namespace troupe::launcher
