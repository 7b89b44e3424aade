#include "storage/bytes/s3_address.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::storage {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

bool is_bucket_name(std::string_view x) {
  auto allowed
    = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '.' || c == '-'; };
  return x.size() >= 3 && x.size() <= 63 && std::all_of(x.begin(), x.end(), allowed)
         && x.front() != '.' && x.front() != '-' && x.find("..") == std::string_view::npos;
}

// A name, an IPv4 address, or an IPv6 address in brackets.
bool is_host(std::string_view x) {
  if (x.size() > 2 && x.front() == '[' && x.back() == ']')
    return std::all_of(x.begin() + 1, x.end() - 1,
                       [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; });
  return !x.empty() && x.size() <= 253 && std::all_of(x.begin(), x.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
  });
}

bool is_port(std::string_view x) {
  unsigned port = 0;
  auto [end, failed] = std::from_chars(x.data(), x.data() + x.size(), port);
  return failed == std::errc{} && end == x.data() + x.size() && port > 0 && port < 65536;
}

} // namespace

result<s3_address> address_of(std::string_view endpoint, std::string_view bucket, s3_style style) {
  auto refuse = [&](const char* why) -> result<s3_address> {
    return {errc::invalid, "the endpoint '" + printable(endpoint) + "' is none of S3: " + why};
  };
  auto secure = endpoint.starts_with("https://");
  if (!secure && !endpoint.starts_with("http://"))
    return refuse("write http://HOST[:PORT] or https://HOST[:PORT]");
  auto rest = endpoint.substr(secure ? 8 : 7);
  if (rest.ends_with('/'))
    rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos)
    return refuse("it ends behind the host and the port; the bucket is an option of its own");
  if (rest.find('@') != std::string_view::npos)
    return refuse("credentials do not stand in it");
  auto colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find(']', colon) != std::string_view::npos)
    colon = std::string_view::npos; // inside an IPv6 address
  auto host = rest.substr(0, colon);
  auto port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  if (!is_host(host) || (colon != std::string_view::npos && !is_port(port)))
    return refuse("write http://HOST[:PORT] or https://HOST[:PORT]");
  if (!is_bucket_name(bucket))
    return {errc::invalid, "the name '" + printable(bucket)
                             + "' cannot be a bucket's in S3: it has 3 to 63 bytes of a-z, 0-9, "
                               "'-' and '.'"};
  s3_address out;
  if (style == s3_style::virtual_host)
    out.host.append(bucket).append(".");
  else
    out.bucket.append("/").append(bucket);
  out.host += host;
  if (!port.empty() && port != (secure ? "443" : "80"))
    out.host.append(":").append(port);
  out.base = (secure ? "https://" : "http://") + out.host;
  return out;
}

std::string uri_encoded(std::string_view text, bool keep_slashes) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (auto c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~'
        || (c == '/' && keep_slashes))
      out += c;
    else
      out.append(1, '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return out;
}

std::string uri_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    auto low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string query_text(const s3_query& query) {
  s3_query encoded;
  for (auto& [name, value] : query)
    encoded.emplace_back(uri_encoded(name, false), uri_encoded(value, false));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (auto& [name, value] : encoded)
    out.append(out.empty() ? "" : "&").append(name).append("=").append(value);
  return out;
}

} // namespace troupe::storage
