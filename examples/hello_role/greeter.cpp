#include "examples/hello_role/greeter.hpp"

#include "runtime/actor_error.hpp"

#include <caf/all.hpp>

namespace troupe::examples {

result<std::string> greeting_for(const std::string& name) {
  if (name.empty())
    return {errc::invalid, "nobody can be greeted without a name; put one into the ping's body"};
  return "hello, " + name;
}

greeter::behavior_type greeter_actor(greeter::pointer) {
  return {[given = uint64_t{0}](const ping_msg& in) mutable -> caf::result<pong_msg> {
    auto text = greeting_for({in.body.begin(), in.body.end()});
    if (!text)
      return fail(text.error());
    pong_msg out;
    out.sequence = ++given;
    out.body.assign(text->begin(), text->end());
    return out;
  }};
}

} // namespace troupe::examples
