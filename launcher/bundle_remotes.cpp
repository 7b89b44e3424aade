#include "launcher/bundle_remotes.hpp"

#include "runtime/base/file_text.hpp"
#include "storage/bundles/repository_objects.hpp"
#include "storage/bytes/directory_objects.hpp"
#include "storage/bytes/s3_objects.hpp"

#include <cstdlib>
#include <filesystem>

namespace troupe::launcher {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view s3_scheme = "s3://";
constexpr std::string_view troupe_scheme = "troupe:";

// The first of these variables that is set.
std::string variable(std::initializer_list<const char*> names, const std::string& otherwise = {}) {
  for (const auto* name : names)
    if (const auto* value = std::getenv(name); value != nullptr && *value != '\0')
      return value;
  return otherwise;
}

result<storage::s3_credentials> credentials() {
  auto set
    = storage::credentials_of_environment([](const char* name) { return std::getenv(name); });
  if (!set)
    return set.error();
  if (*set)
    return **set;
  auto home = variable({"HOME"}, "/") + "/.aws/";
  auto profile = variable({"AWS_PROFILE"}, "default");
  auto first = variable({"AWS_SHARED_CREDENTIALS_FILE"}, home + "credentials");
  auto found = storage::credentials_of_file(text_of_file(first), profile);
  if (found || found.error().code != errc::not_found)
    return found;
  auto second = variable({"AWS_CONFIG_FILE"}, home + "config");
  found = storage::credentials_of_file(text_of_file(second), profile);
  if (found || found.error().code != errc::not_found)
    return found;
  return {errc::refused, "there is no key for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                         "or write the profile "
                           + profile + " into " + first};
}

result<std::unique_ptr<storage::object_store>> open_s3(std::string_view what, const clock& time) {
  auto rest = what.substr(s3_scheme.size());
  auto slash = std::min(rest.find('/'), rest.size());
  storage::s3_options options;
  options.bucket = rest.substr(0, slash);
  options.prefix = rest.substr(std::min(slash + 1, rest.size()));
  if (!options.prefix.empty() && !options.prefix.ends_with('/'))
    options.prefix += '/';
  if (options.bucket.empty())
    return {errc::invalid,
            "the remote " + printable(what) + " names no bucket; write s3://BUCKET/PREFIX"};
  options.region = variable({"AWS_REGION", "AWS_DEFAULT_REGION"}, options.region);
  options.endpoint = variable({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  options.style
    = options.endpoint.empty() ? storage::s3_style::virtual_host : storage::s3_style::path;
  if (options.endpoint.empty())
    options.endpoint = "https://s3." + options.region + ".amazonaws.com";
  while (options.endpoint.ends_with('/'))
    options.endpoint.pop_back();
  options.ca_file = variable({"AWS_CA_BUNDLE"});
  auto key = credentials();
  if (!key)
    return key.error();
  auto made = storage::s3_objects::make(std::move(options), std::move(*key),
                                        {time, random_source{unforeseen_number()}});
  if (!made)
    return made.error();
  return std::unique_ptr<storage::object_store>(std::move(*made));
}

bool is_same(const std::string& a, const std::string& b) {
  std::error_code failed;
  return a == b || fs::equivalent(a, b, failed);
}

// A place of Troupe's would get packs beside its own files.
bool is_of_troupe(const std::string& directory) {
  std::error_code failed;
  return fs::exists(directory + "/store/CURRENT", failed)
         || fs::exists(directory + "/run/master.pid", failed);
}

} // namespace

result<std::string> whole_remote(const std::string& what) {
  auto is_plain
    = std::none_of(what.begin(), what.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (what.empty() || !is_plain)
    return {errc::invalid, "the remote " + printable(what)
                             + " is none; write a directory, s3://BUCKET/PREFIX or troupe:DIR"};
  if (what.starts_with(s3_scheme))
    return what;
  auto is_troupe = what.starts_with(troupe_scheme);
  if (auto scheme = what.find("://"); !is_troupe && scheme != std::string::npos)
    return {errc::invalid, "the remote " + printable(what)
                             + " is of a kind that is not known; "
                               "write a directory, s3://BUCKET/PREFIX or troupe:DIR"};
  std::error_code failed;
  auto whole = fs::absolute(is_troupe ? what.substr(troupe_scheme.size()) : what, failed);
  if (failed || (is_troupe && what.size() == troupe_scheme.size()))
    return {errc::invalid,
            "the remote " + printable(what) + " names no directory; write troupe:DIR"};
  auto path = whole.lexically_normal().string();
  return is_troupe ? std::string(troupe_scheme) + path : path;
}

result<bundle_remote> bundle_remote::open(const std::string& what, const std::string& own,
                                          remote_use use) {
  auto whole = whole_remote(what);
  if (!whole)
    return whole.error();
  bundle_remote out;
  if (whole->starts_with(s3_scheme)) {
    auto made = open_s3(*whole, *out.time_);
    if (!made)
      return made.error();
    out.objects_ = std::move(*made);
    return out;
  }
  auto is_troupe = whole->starts_with(troupe_scheme);
  auto directory = is_troupe ? whole->substr(troupe_scheme.size()) : *whole;
  if (is_same(directory, own) || is_same(directory, own + "/objects"))
    return {errc::invalid,
            "the remote " + directory + " is where the bundles are already; choose another"};
  if (!is_troupe && is_of_troupe(directory))
    return {errc::invalid, directory + " is the directory of a cluster; write troupe:" + directory};
  std::error_code failed;
  if (use == remote_use::pull && !fs::is_directory(directory, failed))
    return {errc::not_found, "there is no directory " + directory
                               + " to pull from; name another remote, or mount it"};
  if (is_troupe) {
    auto place = bundle_place::open(directory);
    if (!place)
      return place.error();
    out.place_ = std::move(*place);
    out.objects_ = std::make_unique<storage::repository_objects>(out.place_->bundles());
    return out;
  }
  auto made = storage::directory_objects::open(directory, {.now_ns = out.time_->wall_ns()});
  if (!made)
    return made.error();
  out.objects_ = std::move(*made);
  return out;
}

} // namespace troupe::launcher
