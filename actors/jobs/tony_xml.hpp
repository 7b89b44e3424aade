// The properties of a Hadoop configuration file, in the order of the file.
//
//   <configuration><property><name>KEY</name><value>TEXT</value></property></configuration>
//
// `description`, `source` and `final` may stand beside them and say nothing here: there is one
// file. Refused: what is no such file, a key that comes twice, and whatever would lead out of the
// file (XInclude, a document type with its entities). Errors: errc::invalid, one sentence with file
// and line; nothing is thrown. Limits: 1 MiB of text.
#pragma once

#include "runtime/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct tony_property {
  std::string name;
  std::optional<std::string> value; // without space around it; none: the file gives none
  std::string where;                // for complaints: `tony.xml:12: `
};

// `file`: its name, for complaints.
result<std::vector<tony_property>> read_tony_properties(std::string_view text,
                                                        const std::string& file);

} // namespace troupe
