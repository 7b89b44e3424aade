#include "launcher/hosts_file.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

using launcher::parse_hosts;

std::string refusal(const std::string& text) {
  auto hosts = parse_hosts(text);
  return hosts ? "" : hosts.error().text;
}

TEST(HostsFile, ReadsWhatEachLineSays) {
  auto hosts = parse_hosts("# the cluster\n\n"
                           "me@first.example cpus=4 memory=1.5GiB accelerators=2 # a comment\n"
                           "10.0.0.2\tname=second label=fast label=ssd address=10.1.0.2 "
                           "task-user=jobs package-cache=50GiB\r\n");
  ASSERT_TRUE(hosts) << hosts.error().text;
  ASSERT_EQ(hosts->size(), 2u);
  auto& first = hosts->front();
  EXPECT_EQ(first.target, "me@first.example");
  EXPECT_EQ(first.name, "first.example");
  EXPECT_EQ(first.capacity.cpus, 4u);
  EXPECT_EQ(first.capacity.memory, 3ull << 29);
  EXPECT_EQ(first.capacity.accelerators, 2u);
  EXPECT_EQ(first.capacity.package_cache, std::nullopt);
  auto& second = hosts->back();
  EXPECT_EQ(second.target, "10.0.0.2");
  EXPECT_EQ(second.name, "second");
  EXPECT_EQ(second.address, "10.1.0.2");
  EXPECT_EQ(second.capacity.cpus, 0u);
  EXPECT_EQ(second.capacity.labels, (std::vector<std::string>{"fast", "ssd"}));
  EXPECT_EQ(second.capacity.task_user, "jobs");
  EXPECT_EQ(second.capacity.package_cache, 50ull << 30);
}

TEST(HostsFile, NamesTheLineThatIsWrong) {
  EXPECT_TRUE(refusal("a\nb cups=4\n").starts_with("line 2: 'cups' is no option; write: "));
  EXPECT_TRUE(refusal("a cpus").starts_with("line 1: 'cpus' has no value"));
  EXPECT_TRUE(refusal("a cpus=").starts_with("line 1: 'cpus=' has no value"));
  EXPECT_TRUE(refusal("a cpus=0").starts_with("line 1: '0' is no number"));
  EXPECT_TRUE(refusal("a cpus=-1").starts_with("line 1: '-1' is no number"));
  EXPECT_TRUE(refusal("a memory=much").starts_with("line 1: "));
  EXPECT_TRUE(refusal("a package-cache=much").starts_with("line 1: "));
  EXPECT_TRUE(refusal("a\nb\n\na").starts_with("line 4: another node has the name 'a'"));
  EXPECT_TRUE(refusal("a:b").starts_with("line 1: 'a:b' is no node name"));
  EXPECT_TRUE(refusal("cpus=4").starts_with("line 1: 'cpus=4' is no host"));
  EXPECT_TRUE(refusal("# nobody\n\n").starts_with("there is no host"));
}

// It would be read as an option.
TEST(HostsFile, AHostDoesNotBeginWithADash) {
  EXPECT_TRUE(refusal("-oProxyCommand=x name=a").starts_with("line 1: "));
  EXPECT_TRUE(refusal("-F name=a").starts_with("line 1: '-F' is no host"));
}

} // namespace
} // namespace troupe::testing
