#include "storage/bytes/s3_http.hpp"

#include "runtime/base/assert.hpp"

#include <curl/curl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <vector>

namespace troupe::storage {

namespace {

constexpr size_t idle_max = 16;

struct close_handle {
  void operator()(CURL* x) const { curl_easy_cleanup(x); }
};
using handle = std::unique_ptr<CURL, close_handle>;

struct free_list {
  void operator()(curl_slist* x) const { curl_slist_free_all(x); }
};
using header_list = std::unique_ptr<curl_slist, free_list>;

struct receiver {
  http_answer answer;
  size_t answer_max;
};

long milliseconds(duration time) {
  auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return static_cast<long>(std::clamp<int64_t>(whole, 1, 3'600'000));
}

size_t take_body(char* bytes, size_t one, size_t count, void* to) {
  auto& out = *static_cast<receiver*>(to);
  if (out.answer.body.size() + count > out.answer_max)
    return count + one; // curl ends with CURLE_WRITE_ERROR
  out.answer.body.append(bytes, count);
  return count;
}

size_t take_header(char* bytes, size_t, size_t count, void* to) {
  auto& out = static_cast<receiver*>(to)->answer;
  std::string_view line{bytes, count};
  if (line.starts_with("HTTP/")) // the first line; again behind a 100
    out = {};
  auto colon = line.find(':');
  if (colon == std::string_view::npos)
    return count;
  std::string name{line.substr(0, colon)};
  for (auto& c : name)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  auto begin = line.find_first_not_of(" \t", colon + 1);
  auto end = line.find_last_not_of(" \t\r\n");
  if (begin == std::string_view::npos || end < begin)
    return count;
  std::string value{line.substr(begin, end - begin + 1)};
  if (name == "etag")
    out.etag = value;
  else if (name == "content-range")
    out.content_range = value;
  else if (name == "x-amz-bucket-region")
    out.bucket_region = value;
  else if (name == "date") {
    if (auto time = curl_getdate(value.c_str(), nullptr); time >= 0)
      out.date_s = time;
  } else if (name == "content-length") {
    uint64_t length = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc{})
      out.length = length;
  }
  return count;
}

header_list list_of(const s3_headers& headers) {
  curl_slist* list = nullptr;
  for (auto& [name, value] : headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  list = curl_slist_append(list, "Content-Type:"); // curl would add one of its own
  TROUPE_ASSERT(list != nullptr);
  return header_list{list};
}

void set_method(CURL* curl, const http_request& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

} // namespace

struct http_connections::handles {
  std::string ca_file;
  std::mutex mutex;
  std::vector<handle> idle; // the last one was used last

  handle take() {
    std::lock_guard lock{mutex};
    if (idle.empty())
      return handle{curl_easy_init()};
    auto out = std::move(idle.back());
    idle.pop_back();
    return out;
  }

  void give(handle x) {
    curl_easy_reset(x.get()); // its connections stay
    std::lock_guard lock{mutex};
    if (idle.size() < idle_max)
      idle.push_back(std::move(x));
  }
};

http_connections::http_connections(std::string ca_file) : handles_(std::make_unique<handles>()) {
  TROUPE_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); // counted, from any thread
  handles_->ca_file = std::move(ca_file);
}

http_connections::~http_connections() {
  handles_.reset();
  curl_global_cleanup();
}

http_answer http_connections::exchange(const http_request& request) {
  auto curl = handles_->take();
  TROUPE_ASSERT(curl != nullptr);
  auto* x = curl.get();
  receiver to{{}, request.answer_max};
  std::array<char, CURL_ERROR_SIZE> why{};
  auto headers = list_of(request.headers);
  curl_easy_setopt(x, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(x, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(x, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(x, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(x, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(x, CURLOPT_PROXY, "");
  curl_easy_setopt(x, CURLOPT_NETRC, CURL_NETRC_IGNORED);
  curl_easy_setopt(x, CURLOPT_TIMEOUT_MS, milliseconds(request.budget));
  curl_easy_setopt(x, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.budget));
  curl_easy_setopt(x, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(x, CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(x, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(x, CURLOPT_HEADERDATA, &to);
  curl_easy_setopt(x, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(x, CURLOPT_WRITEDATA, &to);
  if (!handles_->ca_file.empty())
    curl_easy_setopt(x, CURLOPT_CAINFO, handles_->ca_file.c_str());
  set_method(x, request);

  auto outcome = curl_easy_perform(x);
  long status = 0;
  curl_easy_getinfo(x, CURLINFO_RESPONSE_CODE, &status);
  auto answer = std::move(to.answer);
  answer.status = static_cast<int>(status);
  if (outcome != CURLE_OK && (status < 400 || outcome == CURLE_WRITE_ERROR)) {
    answer.broken = why[0] != '\0' ? why.data() : curl_easy_strerror(outcome);
    if (outcome == CURLE_WRITE_ERROR)
      answer.broken = "the answer has more than " + std::to_string(request.answer_max) + " bytes";
    answer.hopeless = outcome == CURLE_WRITE_ERROR || outcome == CURLE_PEER_FAILED_VERIFICATION
                      || outcome == CURLE_SSL_CACERT_BADFILE;
  }
  handles_->give(std::move(curl));
  return answer;
}

void pause_thread(duration time) {
  if (time > duration::zero())
    ::poll(nullptr, 0, static_cast<int>(milliseconds(time)));
}

} // namespace troupe::storage
