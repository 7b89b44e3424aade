// Every key of TonY's configuration, and what Troupe makes of it. One table: the reader, the test
// and docs/from-tony.md follow it. The keys: TonYConfigurationKeys.java and tony-default.xml.
//
// In a pattern `<t>` stands for the name of a task type, `<G>` for the name of a group,
// `<resource>` for that of a resource, `<any>` for whatever follows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

enum class tony_rule : unsigned char {
  honoured,       // it becomes a part of the job, or is checked
  without_effect, // the job runs as it should without it
  refused,        // it asks for what Troupe cannot do, unless its value is `harmless` or empty
};

struct tony_row {
  std::string_view pattern;
  tony_rule rule;
  std::string_view why;      // without_effect: a clause. refused: what cannot be done, and the mend
  std::string_view harmless; // refused only
};

std::span<const tony_row> tony_rows();

struct tony_match {
  const tony_row* row = nullptr;
  std::vector<std::string> names; // what the placeholders stand for
};

// No row: Troupe does not know this key.
tony_match match_tony_key(const std::string& key);

// The known key that is written most like this one, with the type's name that it has.
std::string nearest_tony_key(const std::string& key);

} // namespace troupe
