// What the tests of TonY's files share: a plain file, and what becomes of one.
#pragma once

#include "actors/jobs/tony_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing_tony {

using settings = std::vector<std::pair<std::string, std::string>>;

// Two workers, a parameter server, and one command for all.
inline settings plain() {
  return {{"tony.worker.instances", "2"},
          {"tony.ps.instances", "1"},
          {"tony.containers.command", "python train.py"}};
}

inline std::string xml_of(const settings& all) {
  std::string out = "<?xml version=\"1.0\"?>\n<configuration>\n";
  for (auto& [name, value] : all)
    out.append("<property><name>")
      .append(name)
      .append("</name><value>")
      .append(value)
      .append("</value></property>\n");
  return out.append("</configuration>\n");
}

inline job_file_options at_path() {
  job_file_options out;
  out.path = "/data/tony.xml";
  out.parameters["TROUPE_BIN"] = "/opt/bin";
  return out;
}

// `plain` with more, or with others of the same name.
inline result<tony_job> read(const settings& more) {
  auto all = plain();
  for (auto& x : more) {
    auto same = std::find_if(all.begin(), all.end(), [&](auto& y) { return y.first == x.first; });
    if (same != all.end())
      same->second = x.second;
    else
      all.push_back(x);
  }
  return parse_tony_file(xml_of(all), at_path());
}

inline std::string error_of(const result<tony_job>& read) {
  if (read)
    return "no error";
  EXPECT_EQ(read.error().code, errc::invalid);
  EXPECT_EQ(read.error().text.find('\n'), std::string::npos);
  EXPECT_LT(read.error().text.size(), 1000u);
  return read.error().text;
}

inline std::string error_of(const settings& more) {
  return error_of(read(more));
}

inline std::string error_of_text(const std::string& text) {
  return error_of(parse_tony_file(text, at_path()));
}

inline testing::AssertionResult has(const std::string& text,
                                    const std::vector<std::string>& parts) {
  for (auto& x : parts)
    if (text.find(x) == std::string::npos)
      return testing::AssertionFailure() << "no \"" << x << "\" in: " << text;
  return testing::AssertionSuccess();
}

inline const task_type_msg& type_of(const job_spec_msg& job, const std::string& name) {
  static const task_type_msg none;
  for (auto& x : job.tasks)
    if (x->name == name)
      return *x;
  ADD_FAILURE() << "no type " << name;
  return none;
}

inline bool has_env(const task_type_msg& type, const std::string& name, const std::string& value) {
  return std::any_of(type.env.begin(), type.env.end(),
                     [&](auto& x) { return x->name == name && x->value == value; });
}

inline std::vector<std::string> shell(const std::string& line) {
  return {"/bin/bash", "-c", line};
}

inline const tony_key& fate_of(const tony_job& job, const std::string& key) {
  static const tony_key none;
  for (auto& x : job.keys)
    if (x.key == key)
      return x;
  ADD_FAILURE() << "nothing became of " << key;
  return none;
}

inline const std::string app = "tony.application.";
constexpr uint64_t second = 1'000'000'000; // ns

} // namespace troupe::testing_tony
