#include "tensor/io/known_files.h"

#include <algorithm>
#include <string_view>

#ifdef GESTALT_WITH_OPENSSL
#include <openssl/crypto.h>
#include <openssl/evp.h>
#endif

namespace gestalt {

#ifdef GESTALT_WITH_OPENSSL
namespace {

struct KnownFile {
  std::string_view digest;  // or its beginning: torchvision's names hold 8 digits of the SHA-256
  const char* name;
};

constexpr KnownFile known_by_sha256[] = {
    {"7be5be79", "alexnet-owt-7be5be79.pth (torchvision)"},
    {"397923af", "vgg16-397923af.pth (torchvision)"},
    {"dcbb9e9d", "vgg19-dcbb9e9d.pth (torchvision)"},
    {"f37072fd", "resnet18-f37072fd.pth (torchvision)"},
    {"6726825d", "weights-inception-2015-12-05-6726825d.pth (torch-fidelity)"},
};

// All that was published of it; a plain pickle.
constexpr KnownFile known_by_md5 = {"5ef7cf6e11ebbdc1fe2e4f7c44d3f2b8",
                                    "VGG19_normalized_avg_pool_pytorch (texture synthesis)"};

// Neither a zip, as torch.save writes since 1.6, nor safetensors: 8 bytes of length, then JSON.
bool may_be_plain_pickle(const Bytes& bytes) {
  using namespace std::string_view_literals;
  const std::string_view text = bytes.text();
  return !text.starts_with("PK\3\4") &&
         !text.substr(std::min<size_t>(text.size(), 4)).starts_with("\0\0\0\0{"sv);
}

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
  for (const KnownFile& known : known_by_sha256) {
    if (sha.starts_with(known.digest)) return known.name;
  }
  // Of any other file it would take longer than all the rest of a conversion.
  if (!may_be_plain_pickle(bytes)) return {};
  if (digest_of(bytes, EVP_md5()) == known_by_md5.digest) return known_by_md5.name;
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
