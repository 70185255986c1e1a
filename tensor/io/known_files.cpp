#include "tensor/io/known_files.h"

#ifdef GESTALT_WITH_OPENSSL
#include <openssl/crypto.h>
#include <openssl/evp.h>
#endif

namespace gestalt {

#ifdef GESTALT_WITH_OPENSSL
namespace {

struct KnownFile {
  const EVP_MD* (*algorithm)();
  std::string_view digest;  // or its beginning: torchvision's names hold 8 digits of the SHA-256
  const char* name;
};

constexpr KnownFile known_files[] = {
    {EVP_sha256, "7be5be79", "alexnet-owt-7be5be79.pth (torchvision)"},
    {EVP_sha256, "397923af", "vgg16-397923af.pth (torchvision)"},
    {EVP_sha256, "dcbb9e9d", "vgg19-dcbb9e9d.pth (torchvision)"},
    {EVP_sha256, "f37072fd", "resnet18-f37072fd.pth (torchvision)"},
    {EVP_sha256, "6726825d", "weights-inception-2015-12-05-6726825d.pth (torch-fidelity)"},
    {EVP_md5, "5ef7cf6e11ebbdc1fe2e4f7c44d3f2b8",
     "VGG19_normalized_avg_pool_pytorch (texture synthesis)"},
};

std::string digest_of(const Bytes& bytes, const EVP_MD* algorithm) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const bool is_done = EVP_Digest(bytes.data, bytes.size, digest, &size, algorithm, nullptr) == 1;
  // What OpenSSL keeps of a thread is freed as the thread ends. OpenMP's may do so while the
  // process does, too late for that.
  OPENSSL_thread_stop();
  if (!is_done) return "";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace

std::string sha256(const Bytes& bytes) {
  return digest_of(bytes, EVP_sha256());
}

std::optional<std::string> known_file(const Bytes& bytes, const std::string& sha) {
  const std::string md5 = digest_of(bytes, EVP_md5());
  for (const KnownFile& known : known_files) {
    const std::string& digest = known.algorithm == EVP_sha256 ? sha : md5;
    if (digest.starts_with(known.digest)) return known.name;
  }
  return {};
}

#else

std::string sha256(const Bytes&) {
  return "";
}

std::optional<std::string> known_file(const Bytes&, const std::string&) {
  return {};
}

#endif

}  // namespace gestalt
