// The words of a filter. Grammar: formats.md ("Filters").
// Threads: one.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::storage {

enum class token_kind : uint8_t { word, quoted_word, text, integer, real, sign, end };

struct token {
  token_kind kind = token_kind::end;
  std::string text; // of a text without its quotes
  size_t at = 0;    // byte in the filter
};

class filter_tokens {
public:
  explicit filter_tokens(std::string_view text) : text_(text) {}

  // Reads the first word. Errors: errc::invalid.
  result<void> start() { return advance(); }

  const token& now() const noexcept { return now_; }
  result<void> advance();

  // Whether the word is that keyword, in any case, or that sign.
  bool is(std::string_view keyword_or_sign) const;

  // What is wrong here, or at an earlier word.
  error wrong(const std::string& what) const { return wrong(what, now_); }
  error wrong(const std::string& what, const token& there) const;

private:
  result<void> read_text(char quote);
  void read_number();
  void read_word();

  std::string_view text_;
  size_t at_ = 0;
  token now_;
};

} // namespace troupe::storage
