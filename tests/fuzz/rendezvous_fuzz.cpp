// What a stranger may send to the rendezvous of a Horovod job.
#include "actors/jobs/rendezvous.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>

#include <array>

namespace troupe::testing {
namespace {

std::string request(random_source& random) {
  static constexpr std::array<std::string_view, 5> methods{"GET", "PUT", "DELETE", "POST", ""};
  static constexpr std::array<std::string_view, 6> paths{"/global/0", "/global/1", "/own/key",
                                                         "/a/b/c",    "/",         "global"};
  std::string out{methods[random.below(methods.size())]};
  out.append(" ").append(paths[random.below(paths.size())]).append(" HTTP/1.1\r\n");
  auto size = random.below(100);
  auto told = random.chance(0.2) ? random.next() : size;
  out.append("Content-Length: ").append(std::to_string(told)).append("\r\n\r\n");
  out.append(size, 'x');
  if (random.chance(0.5))
    return out;
  byte_vector bytes{out.begin(), out.end()};
  mutate(bytes, byte_vector(bytes), random);
  return {bytes.begin(), bytes.end()};
}

TEST(FuzzRendezvous, AnswersOrWaitsForMore) {
  fuzz("AnswersOrWaitsForMore", 500, [](random_source& random) {
    rendezvous_store store{{{"global", 2}}};
    for (int i = 0; i < 20; ++i) {
      auto reply = store.reply(request(random));
      if (reply) {
        EXPECT_TRUE(reply->starts_with("HTTP/1.1 ")) << *reply;
      }
    }
    EXPECT_TRUE(store.reply("PUT /own/key HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
    EXPECT_TRUE(store.reply("GET /own/key HTTP/1.1\r\n\r\n")->ends_with("\r\n\r\nx"));
  });
}

} // namespace
} // namespace troupe::testing
