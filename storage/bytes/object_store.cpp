#include "storage/bytes/object_store.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

bool may_stand_in_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

} // namespace

result<void> check_object_name(std::string_view name) {
  auto bad = [&](const char* why) -> error {
    return {errc::invalid, "the object name '" + printable(name) + "' " + why};
  };
  if (name.empty() || name.size() > object_name_max)
    return bad("is empty or longer than 256 bytes; use 1 to 256");
  for (size_t begin = 0; begin <= name.size();) {
    auto end = std::min(name.find('/', begin), name.size());
    auto part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..")
      return bad("has a part that is empty, \".\" or \"..\"; name each part");
    if (!std::all_of(part.begin(), part.end(), may_stand_in_a_name))
      return bad("has a byte that is none of a-z, 0-9, '.', '_', '-' and '/'; leave it out");
    begin = end + 1;
  }
  return {};
}

} // namespace troupe::storage
