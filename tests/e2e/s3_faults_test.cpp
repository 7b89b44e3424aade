// Objects in S3 while the network and the server fail.
#include "tests/e2e/s3_fixture.hpp"

#include <algorithm>
#include <atomic>

namespace troupe::storage {
namespace {

// `head`: the status, and headers behind it.
tcp_relay::fault canned(const std::string& head, const std::string& body) {
  return {kind::answer, 0, "HTTP/1.1 " + head + "\r\nConnection: close\r\n\r\n" + body};
}

tcp_relay::fault busy() {
  return canned("503 Service Unavailable\r\nContent-Length: 0", "");
}

size_t uploads_left(const s3_options& options) {
  auto client = *s3_client::make(options, tester(), around());
  auto answer = client->ask({.query = {{"uploads", ""}}});
  EXPECT_TRUE(answer);
  auto uploads = read_uploads(answer->body);
  EXPECT_TRUE(uploads);
  return uploads->size();
}

TEST_F(S3Objects, UseOneConnectionForManyRequests) {
  auto store = open("reuse/");
  auto before = relay_->connections();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(store->put("x" + std::to_string(i), "y"));
    ASSERT_TRUE(store->get("x" + std::to_string(i), 0, 1));
    ASSERT_TRUE(store->remove("x" + std::to_string(i)));
  }
  EXPECT_EQ(relay_->connections(), before + 1);
}

TEST_F(S3Objects, AreWholeWhereAPutWasCutHalfWay) {
  auto bytes = random_bytes(12 * mib, 3);
  auto with = options("troupe");
  with.attempts = 1;
  auto store = open("cut/", with);
  relay_->next({kind::cut_request, 6 * mib});
  expect_error(store->put("x", bytes).error(), errc::unavailable, "after 1 tries");
  EXPECT_FALSE(*store->size("x"));
  EXPECT_EQ(store->get("x", 0, 1).error().code, errc::not_found);
  EXPECT_TRUE(listed(*store).empty());

  store = open("cut/"); // one that tries again
  relay_->next({kind::cut_request, 6 * mib}, 2);
  auto before = relay_->connections();
  auto put = store->put("x", bytes);
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_EQ(relay_->connections(), before + 3);
  EXPECT_TRUE(*store->get("x", 0, object_store::to_the_end) == bytes);
}

TEST_F(S3Objects, AreReadWholeWhereAnAnswerWasCut) {
  auto store = open("answer/");
  auto bytes = random_bytes(9 * mib, 4);
  ASSERT_TRUE(store->put("x", bytes));
  store = open("answer/");
  relay_->next({kind::cut_answer, 3 * mib});
  relay_->next({kind::cut_answer, 0});
  relay_->next({kind::cut_answer, 8 * mib + 5000}); // in the second piece
  auto before = relay_->connections();
  auto got = store->get("x", 0, object_store::to_the_end);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_TRUE(*got == bytes);
  EXPECT_EQ(relay_->connections(), before + 4);
}

// Puts "a", and acts in the request that completes the same bytes as "b".
result<void> put_with_fault_at_the_end(s3_objects& store, tcp_relay& relay, std::string_view bytes,
                                       const std::function<void()>& act) {
  EXPECT_TRUE(store.size("a")); // from here on every put sends the same number of bytes
  auto before = relay.sent();
  EXPECT_TRUE(store.put("a", bytes));
  std::atomic<bool> acted = false;
  relay.when_sent(relay.sent() - before - 10, [&] {
    act();
    relay.cut_all();
    acted = true;
  });
  auto put = store.put("b", bytes);
  EXPECT_TRUE(acted);
  return put;
}

TEST_F(S3Objects, ArePutOnceWhereTheAnswerOfThePutIsLost) {
  auto store = open("lost/");
  auto bytes = random_bytes(17 * mib, 5);
  auto put = put_with_fault_at_the_end(*store, *relay_, bytes, [] {});
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_TRUE(*store->get("b", 0, object_store::to_the_end) == bytes);
  EXPECT_EQ(uploads_left(options("troupe")), 0u);
}

// As when somebody else put the same name meanwhile: what completes it finds no upload.
TEST_F(S3Objects, ArePutWhereTheUploadWasEndedByAnother) {
  auto store = open("race/");
  auto bytes = random_bytes(17 * mib, 5);
  auto gone = "<Error><Code>NoSuchUpload</Code><Message/></Error>";
  auto put = put_with_fault_at_the_end(*store, *relay_, bytes, [&] {
    EXPECT_TRUE(open("race/")->put("b", bytes));
    relay_->next(canned("404 Not Found", gone));
  });
  EXPECT_TRUE(put) << put.error().text;
}

TEST_F(S3Objects, WaitLongerBeforeEachTry) {
  std::vector<duration> pauses;
  auto with = options("troupe");
  with.prefix = "busy/";
  with.pause_first = 100ms;
  with.pause_max = 250ms;
  with.attempts = 5;
  s3_surroundings patient{real_time, random_source{7}, [&](duration x) { pauses.push_back(x); }};
  auto store = std::move(*s3_objects::make(with, tester(), patient));
  relay_->next(busy(), 4);
  EXPECT_TRUE(store->size("x"));
  ASSERT_EQ(pauses.size(), 4u);
  auto longest = std::vector<duration>{100ms, 200ms, 250ms, 250ms};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_GE(pauses[i], longest[i] / 2);
    EXPECT_LE(pauses[i], longest[i]);
  }
  EXPECT_NE(pauses[2], pauses[3]); // by chance
  store = std::move(*s3_objects::make(with, tester(), patient));
  relay_->next(busy(), 5);
  expect_error(store->put("x", "y").error(), errc::unavailable, "after 5 tries: it answers 503");
}

TEST_F(S3Objects, AreNotCompleteWhereA200SaysOtherwise) {
  auto store = open("denied/");
  auto put = put_with_fault_at_the_end(*store, *relay_, random_bytes(17 * mib, 9), [] {
    relay_->next(canned("200 OK", "<Error><Code>AccessDenied</Code><Message/></Error>"));
  });
  expect_error(put.error(), errc::io, "AccessDenied");
}

TEST_F(S3Objects, AreNotTakenFromAnswersThatLie) {
  auto list = [](const char* inner) {
    return canned("200 OK", "<ListBucketResult>" + std::string{inner} + "</ListBucketResult>");
  };
  for (auto& each :
       {canned("200 OK", "no length"), canned("206 Partial", "no range"),
        canned("206 Partial\r\nContent-Range: bytes 1-5/9", "other"),
        canned("206 Partial\r\nContent-Range: bytes 0-8/9", "short"),
        canned("206 Partial\r\nContent-Range: bytes 0-4/999999999999", "large"),
        canned("206 Partial\r\nContent-Range: bytes 0-8/9", "more than it"),
        canned("200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")}) {
    auto store = open("lies/"); // with a connection of its own
    relay_->next(each);
    expect_error(store->get("x", 0, 100).error(), errc::io, "the answer");
  }
  for (auto& each : {canned("200 OK", "<html/>"), list("<IsTruncated>true</IsTruncated>"),
                     list("<Contents><Key>elsewhere/a</Key><Size>1</Size></Contents>"),
                     list("<Contents><Key>lies/b</Key><Size>1</Size></Contents>"
                          "<Contents><Key>lies/a</Key><Size>1</Size></Contents>")}) {
    auto store = open("lies/");
    relay_->next(each);
    expect_error(store->list("", [](auto, auto) { return true; }).error(), errc::io, "check");
  }
}

TEST_F(S3Objects, NameTheRegionWhereTheBucketIs) {
  auto store = open("");
  relay_->next(canned("301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1", ""));
  expect_error(store->get("x", 0, 1).error(), errc::io,
               "in the region eu-west-1, not in us-east-1");
}

TEST_F(S3Objects, KeepTheirCredentialsToThemselves) {
  for (auto* status : {"403 Forbidden", "400 Bad Request", "503 Slow Down"}) {
    auto with = options("troupe");
    with.attempts = 1;
    auto store = open("", with);
    relay_->next(canned(status,
                        "<Error><Code>of troupe:tester</Code><Message>the secret testing of "
                        "troupe:tester, testing.</Message></Error>"));
    auto error = store->get("x", 0, 1).error();
    expect_error(error, error.code, "of ***");
  }
}

TEST_F(S3Objects, OutliveAServerThatStalls) {
  auto with = options("troupe");
  with.attempt_budget = 500ms;
  auto store = open("stall/", with);
  auto before = relay_->connections();
  relay_->next({kind::stall});
  EXPECT_TRUE(store->size("x"));
  EXPECT_EQ(relay_->connections(), before + 2);
  with.attempts = 2;
  store = open("stall/", with);
  relay_->next({kind::stall}, 2);
  expect_error(store->size("x").error(), errc::unavailable, "after 2 tries");
}

TEST_F(S3Objects, SayThatNobodyAnswers) {
  auto with = options("troupe");
  with.attempts = 2;
  with.endpoint = "http://127.0.0.1:1";
  expect_error(open("", with)->put("x", "y").error(), errc::unavailable, "can be reached");
}

TEST_F(S3Objects, GoOverTlsToACertificateThatIsTrusted) {
  auto with = options("troupe");
  with.endpoint = "https://localhost:" + std::to_string(server_->tls_port());
  with.style = s3_style::virtual_host;
  with.ca_file = server_->ca_file();
  auto store = open("tls/", with);
  auto put = store->put("x", "hidden");
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_EQ(*open("tls/")->get("x", 0, 100), "hidden");

  with.ca_file.clear();
  int pauses = 0;
  s3_surroundings counted{real_time, random_source{1}, [&](duration) { ++pauses; }};
  auto strict = std::move(*s3_objects::make(with, tester(), counted));
  expect_error(strict->put("y", "z").error(), errc::io, "certificate");
  EXPECT_EQ(pauses, 0);
}

TEST_F(S3Objects, GoOnWithAnUploadThatTheServersDeathInterrupted) {
  auto bytes = random_bytes(40 * mib, 6); // five parts
  auto with = options("troupe");
  with.attempts = 2;
  auto store = open("resume/", with);
  relay_->when_sent(27 * mib, [] { server_->kill(); }); // in the fourth part
  expect_error(store->put("x", bytes).error(), errc::unavailable, "after 2 tries");

  auto started = server_->start();
  ASSERT_TRUE(started) << started.error().text;
  relay_->set_target(server_->port());
  EXPECT_EQ(uploads_left(with), 1u);
  EXPECT_FALSE(*store->size("x"));
  EXPECT_TRUE(listed(*store).empty());
  auto before = relay_->sent();
  auto put = store->put("x", bytes);
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_LT(relay_->sent() - before, 17 * mib); // of two parts, and what is said about them
  EXPECT_EQ(uploads_left(with), 0u);
  EXPECT_TRUE(*store->get("x", 0, object_store::to_the_end) == bytes);
  before = relay_->sent();
  EXPECT_TRUE(store->put("x", bytes)); // it is there
  EXPECT_LT(relay_->sent() - before, mib);
}

TEST_F(S3Objects, EndAnUploadOfOtherBytes) {
  auto with = options("troupe");
  with.attempts = 1;
  auto store = open("other/", with);
  auto before = relay_->connections();
  relay_->next({kind::cut_request, 12 * mib});
  EXPECT_EQ(store->put("x", random_bytes(20 * mib, 7)).error().code, errc::unavailable);
  EXPECT_GT(relay_->connections(), before);
  EXPECT_EQ(uploads_left(with), 1u);
  auto bytes = random_bytes(20 * mib, 8);
  auto put = store->put("x", bytes);
  ASSERT_TRUE(put) << put.error().text;
  EXPECT_TRUE(*store->get("x", 0, object_store::to_the_end) == bytes);
  EXPECT_EQ(uploads_left(with), 0u);
}

} // namespace
} // namespace troupe::storage
