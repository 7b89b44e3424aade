// Reads the records of the metadata store: one by its key, or all behind a prefix.
// Threads: as the reader. Errors: those of the reader and of what reads a record.
#pragma once

#include "storage/store.hpp"

namespace troupe::storage {

// The value of the key as `read` gives it; empty where there is none.
template <class T>
result<std::optional<T>> find_record(const reader& in, const std::string& key,
                                     result<T> (*read)(std::string_view, std::string_view)) {
  auto value = in.get(key);
  if (!value)
    return value.error();
  if (!*value)
    return std::optional<T>();
  auto record = read(key, **value);
  if (!record)
    return record.error();
  return std::optional<T>(std::move(*record));
}

// Scans with a visitor that may fail: it gives whether the scan goes on.
template <class Visit>
result<void> scan_records(const reader& in, std::string_view prefix, std::string_view from,
                          const Visit& visit) {
  result<void> good;
  TROUPE_TRY(in.scan(prefix, from, no_limit, [&](auto key, auto value) {
    auto goes_on = visit(key, value);
    if (!goes_on)
      good = goes_on.error();
    return goes_on && *goes_on;
  }));
  return good;
}

// All records behind the prefix, in the order of their keys, that `wanted` lets through.
template <class T, class Wanted>
result<std::vector<T>> all_records(const reader& in, std::string_view prefix,
                                   result<T> (*read)(std::string_view, std::string_view),
                                   const Wanted& wanted) {
  std::vector<T> out;
  auto scanned = scan_records(in, prefix, {},
                              [&](std::string_view key, std::string_view value) -> result<bool> {
                                auto record = read(key, value);
                                if (!record)
                                  return record.error();
                                if (wanted(*record))
                                  out.push_back(std::move(*record));
                                return true;
                              });
  if (!scanned)
    return scanned.error();
  return out;
}

} // namespace troupe::storage
