#include "storage/bytes/s3_credentials.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

std::string_view trimmed(std::string_view x) {
  constexpr std::string_view space = " \t\r";
  auto begin = x.find_first_not_of(space);
  if (begin == std::string_view::npos)
    return {};
  return x.substr(begin, x.find_last_not_of(space) - begin + 1);
}

bool prints(std::string_view x) {
  return std::all_of(x.begin(), x.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Whether this line opens the profile: "[NAME]" or "[profile NAME]".
bool opens(std::string_view line, std::string_view profile) {
  auto end = line.find(']');
  if (end == std::string_view::npos)
    return false;
  auto name = trimmed(line.substr(1, end - 1));
  if (name.starts_with("profile "))
    name = trimmed(name.substr(8));
  return name == profile;
}

} // namespace

result<void> check_credentials(const s3_credentials& x) {
  if (x.key_id.empty() || x.secret.empty())
    return {errc::invalid, "credentials of S3 lack the key's id or its secret: give both"};
  if (!prints(x.key_id) || !prints(x.secret) || !prints(x.session_token)
      || x.key_id.find('/') != std::string::npos)
    return {errc::invalid, "credentials of S3 hold a character that none has: copy the key's id, "
                           "its secret and the session token again, without spaces"};
  return {};
}

result<std::optional<s3_credentials>> credentials_of_environment(const variable_lookup& lookup) {
  auto value = [&](const char* name) {
    auto* found = lookup(name);
    return std::string{found ? found : ""};
  };
  s3_credentials out{value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"),
                     value("AWS_SESSION_TOKEN")};
  if (out.key_id.empty() && out.secret.empty())
    return std::optional<s3_credentials>{};
  if (out.key_id.empty() || out.secret.empty())
    return {errc::invalid, "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set: set "
                           "both, or neither"};
  TROUPE_TRY(check_credentials(out));
  return std::optional{std::move(out)};
}

result<s3_credentials> credentials_of_file(std::string_view text, std::string_view profile) {
  s3_credentials out;
  bool within = false;
  bool found = false;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#' || line[0] == ';')
      continue;
    if (line[0] == '[') {
      within = opens(line, profile);
      found = found || within;
      continue;
    }
    auto equals = line.find('=');
    if (!within || equals == std::string_view::npos)
      continue;
    auto key = trimmed(line.substr(0, equals));
    auto value = trimmed(line.substr(equals + 1));
    if (key == "aws_access_key_id")
      out.key_id = value;
    else if (key == "aws_secret_access_key")
      out.secret = value;
    else if (key == "aws_session_token")
      out.session_token = value;
  }
  auto name = "profile \"" + printable(profile) + "\"";
  if (!found)
    return {errc::not_found,
            "the file of credentials has no " + name + ": add it, or name one that is there"};
  if (out.key_id.empty() || out.secret.empty())
    return {errc::invalid, name
                             + " of the file of credentials lacks aws_access_key_id or "
                               "aws_secret_access_key: add it"};
  TROUPE_TRY(check_credentials(out));
  return out;
}

} // namespace troupe::storage
