// TonY's files as people and machines should not write them.
#include "actors/jobs/tony_file.hpp"
#include "actors/jobs/tony_keys.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace troupe::testing {
namespace {

std::string property(const std::string& name, const std::string& value) {
  return std::string{"<property><name>"}
    .append(name)
    .append("</name><value>")
    .append(value)
    .append("</value></property>\n");
}

// A known key with one of two types or groups in it.
std::string any_key(random_source& random) {
  auto rows = tony_rows();
  std::string out{rows[random.below(rows.size())].pattern};
  for (auto at = out.find('<'); at != std::string::npos; at = out.find('<'))
    out.replace(at, out.find('>', at) + 1 - at, random.chance(0.7) ? "worker" : "ps");
  return out;
}

std::string any_value(random_source& random) {
  static constexpr std::array<std::string_view, 16> values{
    "1", "2",    "-1",   "2g",    "worker",     "ps",  "worker,ps", "true",
    "",  "FCFS", "A=1,", "x y,=", "${a}${b}$}", "${b", "mxnet",     "&a;"};
  if (random.chance(0.1))
    return std::to_string(hostile_number(random));
  return std::string{values[random.below(values.size())]};
}

std::string hostile_xml(random_source& random) {
  static constexpr std::array<std::string_view, 12> pieces{
    "<a>",        "</a>",        "<![CDATA[", "]]>",       "<!--",  "&#0;",
    "<property>", "</property>", "<name>x",   "<!DOCTYPE", "&amp;", "\xff"};
  std::string out = "<configuration>" + property("tony.worker.instances", "2")
                    + property("tony.containers.command", "run ${a}")
                    + property("a", random.chance(0.1) ? "${b}${b}" : "b");
  for (auto n = random.below(8); n > 0; --n)
    out += property(any_key(random), any_value(random));
  out += property("b", random.chance(0.1) ? "${a}${a}" : "c") + "</configuration>";
  for (auto n = random.chance(0.5) ? random.below(3) : 0; n > 0; --n) {
    auto piece = pieces[random.below(pieces.size())];
    auto at = random.below(out.size());
    for (auto many = random.chance(0.05) ? random.below(50'000) : random.below(4); many > 0; --many)
      out.insert(at, piece);
  }
  byte_vector bytes{out.begin(), out.end()};
  if (random.chance(0.3))
    mutate(bytes, byte_vector(bytes), random);
  return {bytes.begin(), bytes.end()};
}

TEST(FuzzTonyFile, IsReadOrRefusedWithASentence) {
  fuzz("IsReadOrRefusedWithASentence", 500, [](random_source& random) {
    job_file_options options;
    options.path = "/jobs/tony.xml";
    if (random.chance(0.2))
      options.overrides = {hostile_text(random, 1000), any_key(random) + "=" + any_value(random)};
    auto read = parse_tony_file(hostile_xml(random), options);
    if (!read) {
      EXPECT_EQ(read.error().code, errc::invalid);
      EXPECT_FALSE(read.error().text.empty());
      EXPECT_LE(read.error().text.size(), 2000u);
      return;
    }
    EXPECT_FALSE(read->spec.name.empty());
    EXPECT_TRUE(!read->spec.tasks.empty());
    for (auto& type : read->spec.tasks)
      EXPECT_TRUE(type->instances > 0 && type->cpus > 0 && !type->command.empty());
    for (auto& key : read->keys)
      EXPECT_TRUE(key.honoured || !key.why.empty()) << key.key;
  });
}

} // namespace
} // namespace troupe::testing
