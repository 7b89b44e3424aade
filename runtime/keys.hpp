// CURVE key pairs, and the list of the keys that are let in.
//
//   DIR/keys/NAME.secret              both halves; mode 0600, read by its owner only
//   DIR/keys/authorized/NAME.public   the public half: who holds its secret is let in as "key:NAME"
//   DIR/keys/NAME.token               64 hexadecimal digits, for who speaks no CURVE; mode 0600
//
// Keys are text: 40 characters of Z85 (ZeroMQ RFC 32). A name has 1 to 64 characters of
// [A-Za-z0-9._-] and does not begin with a dot. Taking the .public file away shuts its owner out of
// new links. Threads: every function may be called from any thread. Source: Bernstein, "CurveCP";
// ZeroMQ RFC 25 (CURVE).
#pragma once

#include "runtime/base/result.hpp"

#include <map>
#include <string>
#include <string_view>

namespace troupe {

struct key_pair {
  std::string public_key;
  std::string secret_key;
};

bool is_key_name(std::string_view name);

// Makes a pair and writes both files, each all or nothing. errc::already_exists if the name has a
// secret: it is kept, and its public file is put back if it is missing.
result<key_pair> make_keys(const std::string& directory, const std::string& name);

// errc::refused if the secret file can be read by others, errc::not_found if there is none.
result<key_pair> load_keys(const std::string& directory, const std::string& name);

// The token of that name, made if there is none. errc::refused if others can read its file.
result<std::string> access_token(const std::string& directory, const std::string& name);

// The public key of one name of the list.
result<std::string> load_public_key(const std::string& directory, const std::string& name);

// Public key -> name. A file that holds no key is skipped with a warning: one bad file must not
// shut out everybody.
result<std::map<std::string, std::string>> load_authorized(const std::string& directory);

} // namespace troupe
