// What a server that is none of S3, or a hand, gives us to read: answers, credentials, endpoints.
#include "storage/bytes/s3_address.hpp"
#include "storage/bytes/s3_answers.hpp"
#include "storage/bytes/s3_credentials.hpp"
#include "tests/fuzz/allocations.hpp"
#include "tests/fuzz/cases.hpp"
#include "tests/fuzz/mutation.hpp"

#include <gtest/gtest.h>

#include <array>

namespace troupe::testing {
namespace {

using namespace storage;

constexpr auto listing
  = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>"
    "<EncodingType>url</EncodingType><Contents><Key>a%2Fb+c</Key><Size>7</Size></Contents>"
    "<Contents><Key>d</Key><Size>18446744073709551615</Size></Contents></ListBucketResult>";
constexpr auto uploads
  = "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId><Initiated>2026-01-02T"
    "03:04:05.000Z</Initiated></Upload></ListMultipartUploadsResult>";
constexpr auto parts = "<ListPartsResult><Part><PartNumber>2</PartNumber><Size>8388608</Size>"
                       "<ETag>&quot;abc&quot;</ETag></Part></ListPartsResult>";
constexpr auto begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                       "</InitiateMultipartUploadResult>";
constexpr auto refusal = "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";

std::string damaged(std::string_view text, std::string_view other, random_source& random) {
  byte_vector bytes{text.begin(), text.end()};
  mutate(bytes, byte_vector{other.begin(), other.end()}, random);
  return {bytes.begin(), bytes.end()};
}

TEST(FuzzS3, DamagedAnswersAreErrorsOrAnswers) {
  static constexpr std::array<std::string_view, 5> whole{listing, uploads, parts, begun, refusal};
  fuzz("DamagedAnswersAreErrorsOrAnswers", 20'000, [](random_source& random) {
    auto text = whole[random.below(whole.size())];
    auto xml = random.chance(0.05) ? hostile_text(random, 1000)
                                   : damaged(text, whole[random.below(whole.size())], random);
    auto before = allocated();
    if (auto read = read_listing(xml); read) {
      for (auto& each : read->entries)
        EXPECT_FALSE(each.key.empty());
    }
    if (auto read = read_uploads(xml); read) {
      for (auto& each : *read)
        EXPECT_FALSE(each.key.empty() || each.id.empty());
    }
    if (auto read = read_parts(xml); read) {
      for (auto& each : *read)
        EXPECT_FALSE(each.etag.empty());
    }
    if (auto read = read_upload_id(xml); read) {
      EXPECT_FALSE(read->empty());
    }
    (void)read_refusal(xml);
    EXPECT_LE(allocated() - before, 64 * xml.size() + (64 << 10));
  });
}

TEST(FuzzS3, DeepAnswersEndTheReading) {
  std::string xml;
  for (int i = 0; i < 200'000; ++i)
    xml += "<a>";
  EXPECT_FALSE(read_listing(xml));
  EXPECT_FALSE(read_listing("<ListBucketResult>" + xml));
  for (int i = 0; i < 200'000; ++i)
    xml += "</a>";
  EXPECT_TRUE(read_listing("<ListBucketResult>" + xml + "</ListBucketResult>"));
}

TEST(FuzzS3, CredentialsAndEndpointsBreakNoRequest) {
  constexpr std::string_view file = "[default]\naws_access_key_id = first\n"
                                    "aws_secret_access_key=a/b+c=\n[profile work]\n"
                                    "aws_access_key_id=second\naws_secret_access_key = d\n";
  constexpr std::string_view endpoint = "https://s3.eu-west-1.amazonaws.com:8443";
  fuzz("CredentialsAndEndpointsBreakNoRequest", 20'000, [&](random_source& random) {
    if (auto read = credentials_of_file(damaged(file, file, random), "work"); read) {
      EXPECT_TRUE(check_credentials(*read));
    }
    auto bucket = random.chance(0.5) ? "models" : hostile_text(random, 80);
    auto style = random.chance(0.5) ? s3_style::path : s3_style::virtual_host;
    if (auto at = address_of(damaged(endpoint, endpoint, random), bucket, style); at) {
      EXPECT_EQ(at->base.find_first_of("\r\n \t@?#%\\", 0), std::string::npos) << at->base;
      EXPECT_EQ(at->base.find('/', 8), std::string::npos) << at->base;
      EXPECT_EQ(at->bucket.find_first_of("\r\n ?#%"), std::string::npos);
    }
    auto text = hostile_text(random, 200);
    EXPECT_EQ(uri_decoded(uri_encoded(text, random.chance(0.5))), text);
  });
}

} // namespace
} // namespace troupe::testing
