#include "tests/fuzz/cases.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Of the sanitizers, where they are built in.
extern "C" void __attribute__((weak)) __sanitizer_set_death_callback(void (*)());

namespace troupe::testing {

namespace {

// Of the case that runs, for a handler that may do little.
std::array<char, 256> repeat{};

void say_repeat() {
  std::string_view text{repeat.data()};
  while (!text.empty()) {
    auto n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0)
      return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void on_signal(int number) {
  say_repeat();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

// A sanitizer tells of its own deaths, and handles the signals of bad accesses itself.
void watch_for_death() {
  if (__sanitizer_set_death_callback != nullptr)
    __sanitizer_set_death_callback(say_repeat);
  else
    for (auto number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})
      ::signal(number, on_signal);
  ::signal(SIGABRT, on_signal);
}

struct range {
  uint64_t first = 1;
  uint64_t count = 0;
};

range cases_wanted(uint64_t count) {
  range result{1, count};
  const auto* text = std::getenv("TROUPE_FUZZ");
  if (text == nullptr)
    return result;
  std::string_view rest = text;
  auto parse = [](std::string_view digits, uint64_t& value) {
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
  };
  auto colon = rest.find(':');
  parse(rest.substr(0, colon), result.first);
  result.count = 1;
  if (colon != std::string_view::npos)
    parse(rest.substr(colon + 1), result.count);
  return result;
}

} // namespace

void fuzz(const char* test, uint64_t count, const std::function<void(random_source&)>& check) {
  watch_for_death();
  auto wanted = cases_wanted(count);
  for (auto number = wanted.first; number < wanted.first + wanted.count; ++number) {
    std::snprintf(repeat.data(), repeat.size(),
                  "%s fails in case %llu; repeat it with TROUPE_FUZZ=%llu:1 and this program's "
                  "--gtest_filter='*.%s'\n",
                  test, static_cast<unsigned long long>(number),
                  static_cast<unsigned long long>(number), test);
    random_source random{number};
    check(random);
    if (::testing::Test::HasFailure()) {
      say_repeat();
      break;
    }
  }
  repeat[0] = '\0';
}

void expect_sentence(const error& why) {
  EXPECT_FALSE(why.text.empty());
  EXPECT_LE(why.text.size(), 1000u);
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  EXPECT_TRUE(std::none_of(why.text.begin(), why.text.end(), control)) << why.text;
}

} // namespace troupe::testing
