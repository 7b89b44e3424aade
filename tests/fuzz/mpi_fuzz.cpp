// What a stranger may send to a task that waits for MPI's daemons, and lists of a gang's hosts.
#include "launcher/mpi_request.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

using namespace launcher;

constexpr std::string_view secret = "0123456789abcdef";

TEST(FuzzMpi, TakesACommandFromThoseWhoKnowTheSecretOnly) {
  fuzz("TakesACommandFromThoseWhoKnowTheSecretOnly", 2000, [](random_source& random) {
    auto command = std::string(1 + random.below(200), 'x');
    auto sound = mpi_request(secret, command);
    byte_vector bytes{sound.begin(), sound.end()};
    mutate(bytes, byte_vector(bytes), random);
    std::string request{bytes.begin(), bytes.end()};
    auto read = read_mpi_request(request, secret);
    if (read && *read) {
      EXPECT_TRUE(request.starts_with(secret));
      EXPECT_EQ(mpi_request(secret, **read), request);
    }
    // What was refused stays so, whatever comes behind it.
    if (!read) {
      EXPECT_FALSE(read_mpi_request(request + sound, secret));
    }
    auto part = sound.substr(0, random.below(sound.size()));
    auto more = read_mpi_request(part, secret);
    EXPECT_TRUE(more && !*more);
    EXPECT_EQ(**read_mpi_request(sound, secret), command);
  });
}

TEST(FuzzMpi, FindsAPeerInTheListOrNone) {
  fuzz("FindsAPeerInTheListOrNone", 2000, [](random_source& random) {
    constexpr std::string_view sound = "chief-0=10.0.0.1:7000,worker-0=10.0.0.2:7001";
    byte_vector bytes{sound.begin(), sound.end()};
    mutate(bytes, byte_vector(bytes), random);
    std::string peers{bytes.begin(), bytes.end()};
    for (auto* host : {"", "worker-0", "worker-0=10.0.0.2", ","}) {
      auto found = mpi_peer(peers, host);
      if (found) {
        EXPECT_NE(peers.find(std::string{host}.append("=").append(*found)), std::string::npos);
      } else {
        EXPECT_EQ(found.error().code, errc::not_found);
      }
    }
    EXPECT_EQ(*mpi_peer(sound, "worker-0"), "10.0.0.2:7001");
  });
}

} // namespace
} // namespace troupe::testing
