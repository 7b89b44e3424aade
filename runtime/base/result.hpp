// A value, or the reason why there is none.
//
//   result<config> load(const std::string& path);
//
//   auto loaded = load(path);
//   if (!loaded)
//     return loaded.error();
//   use(*loaded);
#pragma once

#include "runtime/base/assert.hpp"
#include "runtime/base/error.hpp"

#include <type_traits>
#include <utility>
#include <variant>

namespace troupe {

template <class T>
class [[nodiscard]] result {
public:
  template <class U = T>
  requires(
    std::is_constructible_v<
      T,
      U&&> && !std::is_same_v<std::remove_cvref_t<U>, troupe::error> && !std::is_same_v<std::remove_cvref_t<U>, result>)
    result(U&& value)
    : content_(std::in_place_index<0>, std::forward<U>(value)) {}

  result(troupe::error reason) : content_(std::in_place_index<1>, std::move(reason)) {
    TROUPE_ASSERT(error().code != errc::ok);
  }

  result(errc code, std::string text) : result(troupe::error{code, std::move(text)}) {}

  explicit operator bool() const noexcept { return content_.index() == 0; }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const troupe::error& error() const {
    TROUPE_ASSERT(content_.index() == 1);
    return *std::get_if<1>(&content_);
  }

private:
  T& value() {
    TROUPE_ASSERT(content_.index() == 0);
    return *std::get_if<0>(&content_);
  }

  const T& value() const {
    TROUPE_ASSERT(content_.index() == 0);
    return *std::get_if<0>(&content_);
  }

  std::variant<T, troupe::error> content_;
};

template <>
class [[nodiscard]] result<void> {
public:
  result() = default;

  result(troupe::error reason) : reason_(std::move(reason)) {
    TROUPE_ASSERT(reason_.code != errc::ok);
  }

  result(errc code, std::string text) : result(troupe::error{code, std::move(text)}) {}

  explicit operator bool() const noexcept { return reason_.code == errc::ok; }

  const troupe::error& error() const {
    TROUPE_ASSERT(reason_.code != errc::ok);
    return reason_;
  }

private:
  troupe::error reason_;
};

} // namespace troupe

// Returns the error of an expression of type result<T> to the caller, or goes on.
#define TROUPE_TRY(expression)                                                                     \
  if (auto troupe_try = (expression); !troupe_try)                                                 \
  return troupe_try.error()
