#include "storage/metadata/filter_tokens.hpp"

#include <algorithm>
#include <cctype>

namespace troupe::storage {

namespace {

bool is_digit(char x) {
  return x >= '0' && x <= '9';
}

bool in_word(char x) {
  return is_digit(x) || x == '_' || (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z');
}

} // namespace

error filter_tokens::wrong(const std::string& what, const token& there) const {
  std::string text = "the filter is wrong at ";
  if (there.kind == token_kind::end)
    text.append("its end");
  else
    text.append("\"").append(printable(there.text)).append("\"");
  text.append(" (byte ").append(std::to_string(there.at)).append("): ").append(what);
  return {errc::invalid, std::move(text)};
}

bool filter_tokens::is(std::string_view wanted) const {
  if (now_.kind == token_kind::sign)
    return now_.text == wanted;
  return now_.kind == token_kind::word
         && std::equal(
           now_.text.begin(), now_.text.end(), wanted.begin(), wanted.end(),
           [](unsigned char a, unsigned char b) { return std::toupper(a) == std::toupper(b); });
}

result<void> filter_tokens::advance() {
  auto joined = at_ > 0 && now_.kind == token_kind::sign && now_.text == "."; // properties.7
  while (at_ < text_.size()
         && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
    ++at_;
  now_ = {token_kind::end, {}, at_};
  if (at_ == text_.size())
    return {};
  auto first = text_[at_];
  if (first == '\'' || first == '"' || first == '`')
    return read_text(first);
  if (is_digit(first) && !joined)
    read_number();
  else if (in_word(first))
    read_word();
  else {
    now_.kind = token_kind::sign;
    auto two = text_.substr(at_, 2);
    auto n = two == "!=" || two == "<>" || two == "<=" || two == ">=" ? 2u : 1u;
    for (auto end = at_ + n; at_ < end; ++at_)
      now_.text += text_[at_];
    if (n == 1 && std::string_view("=<>(),.+-*/").find(first) == std::string_view::npos)
      return wrong("this sign means nothing in a filter");
  }
  return {};
}

result<void> filter_tokens::read_text(char quote) {
  now_.kind = quote == '`' ? token_kind::quoted_word : token_kind::text;
  for (++at_; at_ < text_.size(); ++at_) {
    auto x = text_[at_];
    if (x == quote) {
      ++at_;
      return {};
    }
    if (x == '\\' && quote != '`' && at_ + 1 < text_.size())
      x = text_[++at_];
    now_.text += x;
  }
  return wrong("the quote that begins here has no end");
}

void filter_tokens::read_number() {
  now_.kind = token_kind::integer;
  auto digits = [&] {
    while (at_ < text_.size() && is_digit(text_[at_]))
      now_.text += text_[at_++];
  };
  digits();
  if (at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1])) {
    now_.kind = token_kind::real;
    now_.text += text_[at_++];
    digits();
  }
  auto sign = at_ + 1 < text_.size() && (text_[at_ + 1] == '-' || text_[at_ + 1] == '+') ? 1u : 0u;
  if (at_ + 1 + sign < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')
      && is_digit(text_[at_ + 1 + sign])) {
    now_.kind = token_kind::real;
    for (auto end = at_ + 1 + sign; at_ < end; ++at_)
      now_.text += text_[at_];
    digits();
  }
}

void filter_tokens::read_word() {
  now_.kind = token_kind::word;
  while (at_ < text_.size() && in_word(text_[at_]))
    now_.text += text_[at_++];
}

} // namespace troupe::storage
