// Each rule finds what it is there to find, and leaves its neighbour alone.
#include "tests/tidy/rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace troupe::tidy {
namespace {

tree sorted(tree files) {
  std::sort(files.begin(), files.end(), [](auto& a, auto& b) { return a.path < b.path; });
  return files;
}

std::string repeated(std::string_view what, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i)
    text += what;
  return text;
}

TEST(IncludeArrows, PointDownOnly) {
  auto found = include_arrows(sorted({
    {"actors/jobs/job.cpp", "#include \"storage/store.hpp\"\n"},
    {"storage/store.hpp", "#include \"runtime/base/ids.hpp\"\n#include \"runtime/bridge.hpp\"\n"},
    {"runtime/bridge.hpp", "#include \"runtime/base/ids.hpp\"\n"},
    {"runtime/base/ids.hpp", "#include \"runtime/bridge.hpp\"\n"},
  }));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path, "runtime/base/ids.hpp");
  EXPECT_EQ(found[1].path, "storage/store.hpp");
  EXPECT_EQ(found[1].line, 2u);
}

TEST(IncludeArrows, TheThreeInTheMiddleDoNotMeet) {
  auto found = include_arrows(sorted({
    {"storage/store.hpp", ""},
    {"kernels/op.hpp", "#include \"storage/store.hpp\"\n"},
    {"runtime/node.hpp", "#include \"kernels/op.hpp\"\n"},
  }));
  EXPECT_EQ(found.size(), 2u);
}

TEST(IncludeArrows, NameAFileOfTheTree) {
  auto found = include_arrows(sorted({
    {"tests/a.cpp", "#include \"b.hpp\"\n#include \"gone.hpp\"\n"},
    {"tests/b.hpp", ""},
    {"elsewhere/c.cpp", ""},
  }));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path, "elsewhere/c.cpp");
  EXPECT_EQ(found[1].line, 2u);
}

TEST(ThirdParty, StaysInItsFile) {
  auto found = third_party({
    {"storage/rocksdb_store.cpp", "#include <rocksdb/db.h>\n#include <vector>\n"},
    {"storage/store.hpp", "#include <rocksdb/db.h>\n#include <sys/stat.h>\n"},
    {"actors/a.cpp", "#include <boost/any.hpp>\n"},
    {"actors/b.cpp", "#include \"troupe_generated.h\"\n"},
  });
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].path, "storage/store.hpp");
  EXPECT_EQ(found[1].path, "actors/a.cpp");
  EXPECT_EQ(found[2].path, "actors/b.cpp");
}

TEST(Limits, OfFiles) {
  auto found = file_length({
    {"runtime/a.cpp", repeated("//\n", 400)},
    {"runtime/b.cpp", repeated("//\n", 401)},
    {"tests/c.cpp", repeated("//\n", 600)},
    {"tests/d.cpp", repeated("//\n", 601)},
    {"docs/e.md", repeated("x\n", 1000)},
  });
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path, "runtime/b.cpp");
  EXPECT_EQ(found[1].path, "tests/d.cpp");
}

TEST(Limits, OfLinesInCharacters) {
  auto found = line_length({
    {"a.cpp", repeated("x", 100) + "\n" + repeated("x", 101) + "\n"},
    {"b.py", repeated("\u00e9", 100) + "\n"},
  });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].line, 2u);
}

TEST(Limits, OfFunctions) {
  auto body
    = [](size_t lines) { return " {\n" + repeated("  if (x) { y(); }\n", lines - 2) + "}\n"; };
  auto found = function_length({
    {"a.cpp", "namespace a {\nint f(int x)" + body(70) + "int g(int x) const" + body(71) + "}\n"},
    {"b.cpp", "struct s {\n  s() : a_{1}, b_(2)" + body(71) + "};\n"},
    {"c.cpp", "const array<row, size_t(3)> rows" + body(90) + "enum class e" + body(90)},
    {"d.cpp", "auto f = [](int x)" + body(71) + "bool operator==(int x)" + body(71)},
    {"e.cpp", "#define F(x) \\\n  g(x) {\n// f() {\nint f()" + body(70)},
  });
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].path, "a.cpp");
  EXPECT_EQ(found[0].line, 72u);
  EXPECT_EQ(found[1].path, "b.cpp");
  EXPECT_EQ(found[2].path, "d.cpp");
}

TEST(HeaderForm, SaysWhatAndIsIncludedOnce) {
  auto found = header_form({
    {"a.hpp", "// What.\n#pragma once\n"},
    {"b.hpp", "#pragma once\n"},
    {"c.hpp", "// What.\n"},
    {"d.cpp", ""},
  });
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].path, "b.hpp");
  EXPECT_EQ(found[2].path, "c.hpp");
}

TEST(FileNames, SaySomething) {
  auto found = file_names({
    {"runtime/utils.cpp", ""},
    {"runtime/common/ids.hpp", ""},
    {"actors/job_manager.hpp", ""},
    {"actors/implicit.hpp", ""},
  });
  ASSERT_EQ(found.size(), 3u);
}

TEST(BannedCalls, OutsideTheFilesThatMay) {
  auto found = banned_calls({
    {"tests/a.cpp", "std::this_thread::sleep_for(1s);\n// sleep_for\nauto s = \"usleep\";\n"},
    {"actors/b.cpp", "getenv(\"HOME\");\nint operand();\nauto x = rand();\n"},
    {"launcher/c.cpp", "getenv(\"HOME\");\nself->request(to, caf::infinite, 1);\n"},
    {"runtime/d.cpp", "auto text = R\"(throw)\";\nthrow 1;\n"},
  });
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found[0].line, 1u);
  EXPECT_EQ(found[1].line, 1u);
  EXPECT_EQ(found[2].line, 3u);
  EXPECT_EQ(found[3].line, 2u);
  EXPECT_EQ(found[4].line, 2u);
}

TEST(LooseEnds, AreFoundInEveryFile) {
  auto mark = std::string{"TO"} + "DO";
  EXPECT_EQ(loose_ends({{"docs/a.md", "x\n" + mark + ": later\n"}, {"b.cpp", "DONE\n"}}).size(),
            1u);
}

TEST(MachinePaths, AreFoundInEveryFile) {
  auto path = std::string{"/ro"} + "ot/data";
  EXPECT_EQ(machine_paths({{"docs/a.md", "cd " + path + "\n"}, {"b.cpp", "/opt\n"}}).size(), 1u);
}

TEST(PlantedPatches, TakeAwayLinesThatAreThere) {
  std::string head{"--- a/x.cpp\n+++ b/x.cpp\n@@ -1,2 +1 @@\n int x;\n"};
  source_file code{"x.cpp", "int x;\nint y;\n"};
  EXPECT_TRUE(planted_patches({code, {"p.patch", head + "-int y;\n"}}).empty());
  EXPECT_EQ(planted_patches({code, {"p.patch", head + "-int z;\n"}}).size(), 1u);
  EXPECT_EQ(planted_patches({{"p.patch", head + "-int y;\n"}}).size(), 1u);
}

TEST(Cmake, ListsEverySourceByName) {
  auto found = listed_in_cmake(sorted({
    {"runtime/CMakeLists.txt", "add(x SOURCES a.cpp base/b.cpp)\n"},
    {"tests/unit/CMakeLists.txt", "add(x SOURCES ${CMAKE_SOURCE_DIR}/tests/support/c.cpp)\n"},
    {"tests/support/c.cpp", ""},
    {"runtime/a.cpp", ""},
    {"runtime/base/b.cpp", ""},
    {"runtime/base/a.cpp", ""},
    {"runtime/xa.cpp", ""},
    {"kernels/CMakeLists.txt", std::string{"file(GLOB"} + " sources *.cpp)\n"},
  }));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].path, "kernels/CMakeLists.txt");
  EXPECT_EQ(found[1].path, "runtime/base/a.cpp");
  EXPECT_EQ(found[2].path, "runtime/xa.cpp");
}

TEST(Readme, NamesEveryFolder) {
  auto found = readme_folders({
    {".ci/run", ""},
    {"README.md", "| folder | what |\n| `runtime/` | x |\n| `gone/` | y |\n"},
    {"runtime/a.cpp", ""},
    {"storage/b.cpp", ""},
  });
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NE(found[0].text.find("storage"), std::string::npos);
  EXPECT_NE(found[1].text.find("gone"), std::string::npos);
}

TEST(Records, AreOnePage) {
  auto found = record_length({
    {"docs/adr/0001-a.md", repeated("x\n", 60)},
    {"docs/adr/0002-b.md", repeated("x\n", 61)},
    {"docs/architecture.md", repeated("x\n", 100)},
  });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, "docs/adr/0002-b.md");
}

TEST(FaultTable, NamesWhatExistsOrSaysWhyNot) {
  const std::string head{
    "# Model\n\n## Faults and their tests\n\n| fault | simulation | end to end | "
    "holds |\n| --- | --- | --- | --- |\n"};
  auto rows_found = [&](const std::string& rows) {
    return fault_table({{"docs/failure_model.md", head + rows + "\n## Next\n\n| a | b |\n"},
                        {"tests/e2e/a_test.cpp", "\nTEST_F(faults,\n       it_dies) {\n"},
                        {"tests/sim/planted/bug.patch", ""}});
  };
  EXPECT_EQ(rows_found("| death | `planted/bug` | `faults.it_dies` | 1, 9 |\n").size(), 0u);
  EXPECT_EQ(
    rows_found("| death | none: it has no processes of its own | `faults.it_dies` | 1 |\n").size(),
    0u);
  auto found = rows_found("| death | `planted/gone` | `faults.it_lives` | 1 |\n");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].line, 7u);
  EXPECT_NE(found[0].text.find("planted/gone"), std::string::npos);
  EXPECT_NE(found[1].text.find("faults.it_lives"), std::string::npos);
  EXPECT_EQ(rows_found("| death | | none: no | 1 |\n").size(), 2u); // no reason
  EXPECT_EQ(rows_found("| death | `planted/bug` | `faults.it_dies` | |\n").size(), 1u);
  EXPECT_EQ(rows_found("").size(), 1u); // no table
  EXPECT_EQ(fault_table({{"README.md", ""}}).size(), 0u);
}

TEST(Exceptions, CoverAFindingAndMustBeNeeded) {
  findings found{{"file_length", "a.cpp", 0, ""}, {"file_length", "b.cpp", 0, ""}};
  std::vector<exception> allowed{{"file_length", "a.cpp", "a"}, {"file_length", "c.cpp", "c"}};
  auto left = without_exceptions(found, allowed);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].path, "b.cpp");
  EXPECT_EQ(left[1].path, "c.cpp");
}

TEST(Code, KeepsLinesAndColumns) {
  EXPECT_EQ(code_of("a /* b\nc */ d // e\nf('\"') \"\\\"g\" 1'000"),
            "a     \n     d     \nf(' ') \"   \" 1'000");
}

} // namespace
} // namespace troupe::tidy
