#include "runtime/keys.hpp"

#include "runtime/base/log.hpp"
#include "runtime/base/owned_fd.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace fs = std::filesystem;

namespace troupe {
namespace {

constexpr size_t key_length = 40;
constexpr size_t token_length = 64;
constexpr size_t file_length_max = 4096;

fs::path secret_path(const std::string& directory, const std::string& name) {
  return fs::path{directory} / "keys" / (name + ".secret");
}

fs::path public_path(const std::string& directory, const std::string& name) {
  return fs::path{directory} / "keys" / "authorized" / (name + ".public");
}

std::string quoted(const std::string& text) {
  std::string out{"'"};
  out += text;
  out += '\'';
  return out;
}

error system_error_of(const char* what, const fs::path& path) {
  auto code = errno == ENOENT ? errc::not_found : errno == EACCES ? errc::refused : errc::io;
  return {code, std::string{"cannot "} + what + " " + quoted(path) + ": " + std::strerror(errno)
                  + "; check the cluster's directory and who owns it"};
}

bool is_key(std::string_view text) {
  std::array<uint8_t, 32> raw{};
  return text.size() == key_length
         && zmq_z85_decode(raw.data(), std::string{text}.c_str()) != nullptr;
}

result<void> check_name(const std::string& name) {
  if (is_key_name(name))
    return {};
  return {errc::invalid, quoted(name)
                           + " cannot name a key; use 1 to 64 letters, digits, '.', '_' and '-', "
                             "and no dot at the beginning"};
}

// The file appears with all of `text`, or not at all; a file that is there already stays.
result<void> write_new(const fs::path& path, const std::string& text, mode_t mode) {
  auto temporary = (path.parent_path() / ".XXXXXX").string();
  owned_fd out{::mkostemp(temporary.data(), O_CLOEXEC)};
  if (!out)
    return system_error_of("create", temporary);
  auto written = ::write(out.get(), text.data(), text.size());
  bool complete = written == static_cast<ssize_t>(text.size()) && ::fchmod(out.get(), mode) == 0
                  && ::fsync(out.get()) == 0;
  result<void> outcome;
  if (!complete)
    outcome = system_error_of("write", temporary);
  else if (::link(temporary.c_str(), path.c_str()) != 0) {
    outcome = errno == EEXIST ? error{errc::already_exists,
                                      quoted(path) + " exists; remove it first to make new keys"}
                              : system_error_of("create", path);
  }
  ::unlink(temporary.c_str());
  return outcome;
}

result<std::string> read_file(const fs::path& path, bool secret) {
  owned_fd in{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!in)
    return system_error_of("read", path);
  struct stat facts {};
  if (::fstat(in.get(), &facts) != 0)
    return system_error_of("look at", path);
  if (!S_ISREG(facts.st_mode))
    return {errc::invalid, quoted(path) + " is no plain file; put the key's file there"};
  if (secret && (facts.st_mode & 077) != 0)
    return {errc::refused, "the secret key " + quoted(path)
                             + " can be read by others, so it may be known to them; make new "
                               "keys, or run chmod 600 on it if nobody has read it"};
  std::string text(file_length_max, '\0');
  auto count = ::read(in.get(), text.data(), text.size());
  if (count < 0)
    return system_error_of("read", path);
  text.resize(static_cast<size_t>(count));
  return text;
}

error no_key_in(const fs::path& path) {
  return {errc::corrupt,
          quoted(path) + " holds no key; remove it and make the key of that name again"};
}

// The word that follows `label` at the beginning of a line.
std::string value_of(const std::string& text, const std::string& label) {
  auto at = text.starts_with(label) ? 0 : text.find("\n" + label);
  if (at == std::string::npos)
    return {};
  auto from = at + label.size() + (at == 0 ? 0 : 1);
  return text.substr(from, text.find('\n', from) - from);
}

result<std::string> read_public(const fs::path& path) {
  auto text = read_file(path, false);
  if (!text)
    return text.error();
  auto key = text->substr(0, text->find_first_of("\r\n"));
  if (!is_key(key))
    return no_key_in(path);
  return key;
}

result<void> publish(const std::string& directory, const std::string& name,
                     const std::string& public_key) {
  return write_new(public_path(directory, name), public_key + "\n", 0644);
}

} // namespace

bool is_key_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '.'
         && std::all_of(name.begin(), name.end(), [](char c) {
              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                     || c == '.' || c == '_' || c == '-';
            });
}

result<key_pair> make_keys(const std::string& directory, const std::string& name) {
  TROUPE_TRY(check_name(name));
  auto list = fs::path{directory} / "keys" / "authorized";
  std::error_code failed;
  fs::create_directories(list, failed);
  if (failed)
    return {errc::io, "cannot create " + quoted(list) + ": " + failed.message()
                        + "; check the cluster's directory and who owns it"};
  std::array<char, key_length + 1> open{};
  std::array<char, key_length + 1> secret{};
  if (zmq_curve_keypair(open.data(), secret.data()) != 0)
    return {errc::unavailable,
            "this libzmq was built without CURVE, so no keys can be made; install one with it"};
  key_pair made{open.data(), secret.data()};
  auto written
    = write_new(secret_path(directory, name),
                "public " + made.public_key + "\nsecret " + made.secret_key + "\n", 0600);
  if (!written) {
    auto old = load_keys(directory, name);
    if (written.error().code == errc::already_exists && old)
      (void)publish(directory, name, old->public_key);
    return written.error();
  }
  ::unlink(public_path(directory, name).c_str()); // of a secret that is gone
  TROUPE_TRY(publish(directory, name, made.public_key));
  return made;
}

result<key_pair> load_keys(const std::string& directory, const std::string& name) {
  TROUPE_TRY(check_name(name));
  auto path = secret_path(directory, name);
  auto text = read_file(path, true);
  if (!text)
    return text.error();
  key_pair keys{value_of(*text, "public "), value_of(*text, "secret ")};
  if (!is_key(keys.public_key) || !is_key(keys.secret_key))
    return no_key_in(path);
  return keys;
}

result<std::string> access_token(const std::string& directory, const std::string& name) {
  TROUPE_TRY(check_name(name));
  auto path = fs::path{directory} / "keys" / (name + ".token");
  std::array<unsigned char, token_length / 2> drawn{};
  if (::getrandom(drawn.data(), drawn.size(), 0) != static_cast<ssize_t>(drawn.size()))
    return system_error_of("draw random bytes for", path);
  std::string made;
  for (auto each : drawn)
    for (auto digit : {each >> 4, each & 15})
      made += "0123456789abcdef"[digit];
  if (auto written = write_new(path, made + "\n", 0600);
      !written && written.error().code != errc::already_exists)
    return written.error();
  auto text = read_file(path, true);
  if (!text)
    return text.error();
  auto token = text->substr(0, text->find_first_of("\r\n"));
  if (token.size() != token_length
      || token.find_first_not_of("0123456789abcdef") != std::string::npos)
    return {errc::corrupt, quoted(path) + " holds no token; remove it, and another one is made"};
  return token;
}

result<std::string> load_public_key(const std::string& directory, const std::string& name) {
  TROUPE_TRY(check_name(name));
  return read_public(public_path(directory, name));
}

result<std::map<std::string, std::string>> load_authorized(const std::string& directory) {
  std::map<std::string, std::string> names;
  auto list = fs::path{directory} / "keys" / "authorized";
  std::error_code failed;
  fs::directory_iterator entries{list, failed};
  for (; !failed && entries != fs::directory_iterator{}; entries.increment(failed)) {
    const auto& path = entries->path();
    auto name = path.stem().string();
    if (path.extension() != ".public" || !is_key_name(name))
      continue;
    if (auto key = read_public(path); key)
      names.emplace(*key, name);
    else
      log::warning("key skipped", {{"reason", key.error().text}});
  }
  if (failed)
    return {errc::io, "cannot read the list of keys " + quoted(list) + ": " + failed.message()
                        + "; make the cluster's keys first"};
  return names;
}

} // namespace troupe
