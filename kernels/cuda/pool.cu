// Pooling and its gradients.

#include <cstdint>

#include "kernels/cuda/device/max_pool_packs.cuh"
#include "kernels/cuda/device/pool.cuh"
#include "kernels/cuda/image.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// `axis` is 0 for rows and 1 for columns.
PoolAxis pool_axis(const View& x, const View& y, const Pool2dDesc& desc, int axis) {
  return {static_cast<int>(x.shape[2 + axis]), static_cast<int>(y.shape[2 + axis]), desc, axis};
}

// Whether an array can be taken in packs of `size` elements by max_pool_packs.cuh.
bool in_packs(const View& image, int size) {
  const size_t bytes = size * size_of(image.dtype);
  return image.numel() > 0 && image.numel() <= Divisor::most && image.is_channels_last() &&
         image.shape[1] % size == 0 && reinterpret_cast<uintptr_t>(image.data) % bytes == 0;
}

using IndexTypes = TypeList<uint8_t, int64_t>;

}  // namespace

void max_pool2d_forward(Context& context, const View& x, const View& y, const View* indices,
                        const Pool2dDesc& desc) {
  constexpr const char* name = "max_pool2d_forward";
  const PoolAxis rows = pool_axis(x, y, desc, 0), columns = pool_axis(x, y, desc, 1);
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    constexpr int size = pool_pack<T>;
    const bool bytes =
        indices == nullptr || (indices->dtype == DType::u8 && in_packs(*indices, size));
    if (bytes && in_packs(x, size) && in_packs(y, size)) {
      const PixelPacks packs(y, size);
      launch(context, name, max_pool_packs<T, size>,
             {dim3(blocks_for(packs.count, pool_pack_threads)), dim3(pool_pack_threads)}, packs,
             rows, columns, x.as<const Pack<T, size>>(), y.as<Pack<T, size>>(),
             indices == nullptr ? nullptr : indices->as<Pack<uint8_t, size>>());
      return;
    }
    const auto run = [&]<class Index>(const Image<Index>& places) {
      image_op<T>(context, name, y, MaxPool<T, Index>{Image<T>(x), places, rows, columns});
    };
    if (indices == nullptr) return run(Image<uint8_t>());
    dispatch<IndexTypes>(name, *indices, [&]<class Index>(std::type_identity<Index>) {
      run(Image<Index>(*indices));
    });
  });
}

void max_pool2d_backward(Context& context, const View& dy, const View& indices, const View& dx,
                         const Pool2dDesc& desc) {
  constexpr const char* name = "max_pool2d_backward";
  const PoolAxis rows = pool_axis(dx, dy, desc, 0), columns = pool_axis(dx, dy, desc, 1);
  dispatch<DeviceFloatTypes>(name, dy, [&]<class T>(std::type_identity<T>) {
    constexpr int size = pool_pack<T>;
    if (indices.dtype == DType::u8 && in_packs(indices, size) && in_packs(dy, size) &&
        in_packs(dx, size)) {
      const PixelPacks packs(dx, size);
      launch(context, name, max_pool_backward_packs<T, size>,
             {dim3(blocks_for(packs.count, pool_pack_threads)), dim3(pool_pack_threads)}, packs,
             rows, columns, dy.as<const Pack<T, size>>(),
             indices.as<const Pack<uint32_t, size / 4>>(), dx.as<Pack<T, size>>());
      return;
    }
    dispatch<IndexTypes>(name, indices, [&]<class Index>(std::type_identity<Index>) {
      image_op<T>(context, name, dx,
                  MaxPoolBackward<T, Index>{Image<T>(dy), Image<Index>(indices), rows, columns});
    });
  });
}

void avg_pool2d_forward(Context& context, const View& x, const View& y, const Pool2dDesc& desc) {
  dispatch<DeviceFloatTypes>("avg_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "avg_pool2d_forward", y,
                AveragePool<T>{Image<T>(x), pool_axis(x, y, desc, 0), pool_axis(x, y, desc, 1),
                               desc.count_include_pad});
  });
}

void avg_pool2d_backward(Context& context, const View& dy, const View& dx, const Pool2dDesc& desc) {
  dispatch<DeviceFloatTypes>("avg_pool2d_backward", dy, [&]<class T>(std::type_identity<T>) {
    image_op<T>(context, "avg_pool2d_backward", dx,
                AveragePoolBackward<T>{Image<T>(dy), pool_axis(dx, dy, desc, 0),
                                       pool_axis(dx, dy, desc, 1), desc.count_include_pad});
  });
}

void adaptive_avg_pool2d_forward(Context& context, const View& x, const View& y) {
  dispatch<DeviceFloatTypes>("adaptive_avg_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    image_op<T>(
        context, "adaptive_avg_pool2d_forward", y,
        AdaptivePool<T>{Image<T>(x), static_cast<int>(y.shape[2]), static_cast<int>(y.shape[3])});
  });
}

void adaptive_avg_pool2d_backward(Context& context, const View& dy, const View& dx) {
  dispatch<DeviceFloatTypes>(
      "adaptive_avg_pool2d_backward", dy, [&]<class T>(std::type_identity<T>) {
        image_op<T>(context, "adaptive_avg_pool2d_backward", dx,
                    AdaptivePoolBackward<T>{Image<T>(dy), static_cast<int>(dx.shape[2]),
                                            static_cast<int>(dx.shape[3])});
      });
}

}  // namespace GESTALT_CUDA_NAMESPACE
