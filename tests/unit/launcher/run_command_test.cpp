#include "launcher/run_command.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

using launcher::one_line;
using launcher::run_command;
using launcher::shell_quote;

TEST(RunCommand, GivesTheInputAndTakesBothOutputsAndTheCode) {
  const std::string large(300'000, 'x');
  auto done = run_command({"sh", "-c", "cat; echo no >&2; exit 3"}, large);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->code, 3);
  EXPECT_EQ(done->out, large);
  EXPECT_EQ(done->err, "no\n");
}

TEST(RunCommand, TellsWhichSignalEndedIt) {
  auto done = run_command({"sh", "-c", "kill -TERM $$"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->code, 128 + 15);
}

TEST(RunCommand, NamesAProgramThatIsNotThere) {
  auto done = run_command({"no-such-program-anywhere"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::not_found);
  EXPECT_EQ(done.error().text, "no-such-program-anywhere is not in the PATH");
}

TEST(RunCommand, KillsWhatDoesNotEnd) {
  auto done = run_command({"sleep", "1000"}, {}, std::chrono::milliseconds(1));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::deadline);
}

TEST(RunCommand, QuotedWordsAreReadBackByAShell) {
  const std::string word = "it's \"$HOME\" `x` \\ *\nnext";
  auto done = run_command({"sh", "-c", "printf %s " + shell_quote(word)});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, word);
  auto words = run_command(
    {"sh", "-c", "eval \"set -- $1\"; printf '%s|' \"$@\"", "sh", shell_quote({word, "", "b c"})});
  ASSERT_TRUE(words);
  EXPECT_EQ(words->out, word + "||b c|");
}

TEST(RunCommand, JoinsTheLinesOfAComplaint) {
  EXPECT_EQ(one_line(" a: b\n\n c\t\n"), "a: b; c");
  EXPECT_EQ(one_line("\n \n"), "");
}

} // namespace
} // namespace troupe::testing
