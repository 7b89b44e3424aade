#include "runtime/actor_error.hpp"

#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace troupe {

namespace {

const auto category = caf::atom("troupe");

} // namespace

caf::error fail(errc code, std::string text) {
  return {static_cast<uint8_t>(code), category, caf::make_message(std::move(text))};
}

caf::error fail(const error& reason) {
  return fail(reason.code, reason.text);
}

error reason_of(const caf::error& x) {
  if (x.category() == category) {
    auto code
      = x.code() <= static_cast<uint8_t>(errc_last) ? static_cast<errc>(x.code()) : errc::internal;
    std::string text;
    if (x.context().match_elements<std::string>())
      text = x.context().get_as<std::string>(0);
    return {code == errc::ok ? errc::internal : code, std::move(text)};
  }
  if (x == caf::sec::request_timeout)
    return {errc::deadline, "no answer in time"};
  if (x == caf::sec::request_receiver_down || x.category() == caf::atom("exit"))
    return {errc::no_such_actor, "the actor has ended"};
  return {errc::internal, "the actor failed with code " + std::to_string(x.code())};
}

} // namespace troupe
