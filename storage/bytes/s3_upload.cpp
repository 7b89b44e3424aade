#include "storage/bytes/s3_upload.hpp"

#include "storage/hash.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

// One object on its way. Parts count from 1.
class upload {
public:
  upload(const s3_client& client, const std::string& name, std::string_view bytes, size_t part_size)
    : client_(client), name_(name), bytes_(bytes), part_size_(part_size) {
    etags_.resize((bytes.size() + part_size - 1) / part_size);
  }

  result<void> run() {
    TROUPE_TRY(take_up());
    if (id_.empty())
      TROUPE_TRY(begin());
    for (size_t i = 0; i < etags_.size(); ++i)
      if (etags_[i].empty())
        TROUPE_TRY(send(i));
    return complete();
  }

private:
  std::string_view part(size_t index) const {
    return bytes_.substr(index * part_size_, part_size_);
  }

  // Finds the newest upload of this name whose parts are ours; ends those whose parts are not.
  result<void> take_up() {
    auto key = client_.prefix() + name_;
    s3_ask ask;
    ask.query = {{"uploads", ""}, {"prefix", key}, {"encoding-type", "url"}};
    auto answer = asked(ask);
    if (!answer)
      return answer.error();
    auto uploads = read_uploads(answer->body);
    if (!uploads)
      return client_.failure(errc::io, ask, uploads.error().text);
    std::erase_if(*uploads, [&](const s3_upload& x) { return x.key != key; });
    std::sort(uploads->begin(), uploads->end(),
              [](const s3_upload& a, const s3_upload& b) { return a.begun > b.begun; });
    for (auto& each : *uploads) {
      auto fits = fill_from(each.id);
      if (!fits)
        return fits.error();
      if (*fits) {
        id_ = each.id;
        return {};
      }
      TROUPE_TRY(abandon(each.id));
    }
    return {};
  }

  // Whether all parts of this upload are parts of these bytes; notes them if so.
  result<bool> fill_from(const std::string& id) {
    s3_ask ask;
    ask.name = name_;
    ask.query = {{"uploadId", id}};
    auto answer = client_.ask(ask);
    if (!answer)
      return answer.error();
    if (answer->status == 404) // it ended meanwhile
      return false;
    if (answer->status != 200)
      return client_.refusal(ask, *answer);
    auto parts = read_parts(answer->body);
    if (!parts)
      return client_.failure(errc::io, ask, parts.error().text);
    std::vector<std::string> etags(etags_.size());
    for (auto& each : *parts) {
      if (each.number < 1 || each.number > etags.size())
        return false;
      auto ours = part(each.number - 1);
      if (each.bytes != ours.size() || each.etag != md5(ours))
        return false;
      etags[each.number - 1] = each.etag;
    }
    etags_ = std::move(etags);
    return true;
  }

  result<void> abandon(const std::string& id) {
    s3_ask ask{.method = "DELETE", .name = name_, .query = {{"uploadId", id}}};
    auto answer = client_.ask(ask);
    if (!answer)
      return answer.error();
    if (answer->status / 100 != 2 && answer->status != 404)
      return client_.refusal(ask, *answer);
    return {};
  }

  result<void> begin() {
    s3_ask ask{.method = "POST", .name = name_, .query = {{"uploads", ""}}};
    auto answer = asked(ask);
    if (!answer)
      return answer.error();
    auto id = read_upload_id(answer->body);
    if (!id)
      return client_.failure(errc::io, ask, id.error().text);
    id_ = *id;
    return {};
  }

  result<void> send(size_t index) {
    s3_ask ask{.method = "PUT",
               .name = name_,
               .query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", id_}},
               .body = part(index)};
    auto answer = asked(ask);
    if (!answer)
      return answer.error();
    etags_[index] = bare_etag(answer->etag);
    // It will stand in XML.
    if (etags_[index].empty() || etags_[index].find_first_of("<>&\"") != std::string::npos)
      return client_.failure(errc::io, ask,
                             "the answer has no ETag: check that the endpoint is one of S3");
    return {};
  }

  result<void> complete() {
    std::string body
      = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t i = 0; i < etags_.size(); ++i) {
      body.append("<Part><PartNumber>").append(std::to_string(i + 1));
      body.append("</PartNumber><ETag>&quot;").append(etags_[i]).append("&quot;</ETag></Part>");
    }
    body += "</CompleteMultipartUpload>";
    s3_ask ask{.method = "POST",
               .name = name_,
               .query = {{"uploadId", id_}},
               .body = body,
               .ok_may_refuse = true};
    auto answer = asked(ask);
    return answer ? result<void>{} : answer.error();
  }

  result<http_answer> asked(const s3_ask& ask) {
    auto answer = client_.ask(ask);
    if (answer && answer->status != 200)
      return client_.refusal(ask, *answer);
    return answer;
  }

  const s3_client& client_;
  const std::string& name_;
  std::string_view bytes_;
  size_t part_size_;
  std::string id_;
  std::vector<std::string> etags_; // of each part; empty: it is to be sent
};

} // namespace

result<void> upload_in_parts(const s3_client& client, const std::string& name,
                             std::string_view bytes, size_t part_size) {
  return upload{client, name, bytes, part_size}.run();
}

} // namespace troupe::storage
