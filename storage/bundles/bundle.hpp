// A bundle: named, typed, immutable data with what it was made of, after Disdat (Yocum et al.,
// "Disdat: Bundle Data Management for Machine Learning Pipelines", OpML 2019).
//
// It has three names: a human one, which many versions share; a processing name, which what makes
// the same has; and a uuid, which no other bundle has.
// Threads: plain values and functions.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

using text_map = std::map<std::string, std::string, std::less<>>;

// A bundle that another one was made of.
struct bundle_source {
  std::string argument; // as what it was used
  std::string uuid;
  std::string processing_name;

  friend bool operator==(const bundle_source&, const bundle_source&) = default;
};

struct bundle {
  std::string uuid;            // 32 lowercase hexadecimal digits
  std::string name;            // human
  std::string processing_name; // may be empty
  std::string owner;
  uint64_t created_ns = 0; // since 1970
  std::string content;     // JSON: what the data is, and which files of the tree hold it
  std::string tree;        // tree_id in hexadecimal digits; empty: it has no files
  std::string code;        // version of the code that made it
  uint64_t started_ns = 0; // of the work, since 1970; 0: unknown
  uint64_t ended_ns = 0;
  text_map parameters{};
  std::vector<bundle_source> sources{};

  friend bool operator==(const bundle&, const bundle&) = default;
};

// Whether it is well formed: errc::invalid says what is not.
result<void> check(const bundle& x);

// A context's name is part of objects' names: 1 to 64 bytes of a-z, 0-9, '.', '_', '-', not only
// dots.
result<void> check_context_name(std::string_view x);

// The processing name where the maker gives none: of the code, the parameters and what it was made
// of; the same ones give the same name.
std::string processing_name_of(const bundle& x);

// A sealed record. Grammar: formats.md ("Bundles"). Errors of the reader: errc::corrupt,
// errc::invalid (written by a newer version).
std::string encode(const bundle& x);
result<bundle> read_bundle(std::string_view bytes);

// The same of tags.
std::string encode_tags(const text_map& x);
result<text_map> read_tags(std::string_view bytes);

} // namespace troupe::storage
