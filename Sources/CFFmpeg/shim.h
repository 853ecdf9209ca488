// What Swift cannot import from FFmpeg (macros with casts or arguments) and what changed its name
// between FFmpeg 5 and later versions. Nothing else belongs here.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

static const int64_t EYRIE_NOPTS = AV_NOPTS_VALUE;
static const int EYRIE_ERROR_EOF = AVERROR_EOF;
static const int EYRIE_ERROR_EXIT = AVERROR_EXIT;
static const int EYRIE_ERROR_INVALID_DATA = AVERROR_INVALIDDATA;
static const int EYRIE_ERROR_DECODER_NOT_FOUND = AVERROR_DECODER_NOT_FOUND;
static const int EYRIE_ERROR_PROTOCOL_NOT_FOUND = AVERROR_PROTOCOL_NOT_FOUND;
static const int EYRIE_ERROR_HTTP_UNAUTHORIZED = AVERROR_HTTP_UNAUTHORIZED;
static const int EYRIE_ERROR_HTTP_FORBIDDEN = AVERROR_HTTP_FORBIDDEN;
static const int EYRIE_ERROR_HTTP_BAD_REQUEST = AVERROR_HTTP_BAD_REQUEST;
static const int EYRIE_ERROR_HTTP_OTHER_4XX = AVERROR_HTTP_OTHER_4XX;
static const int EYRIE_ERROR_HTTP_SERVER_ERROR = AVERROR_HTTP_SERVER_ERROR;
static const int EYRIE_ERROR_HTTP_NOT_FOUND = AVERROR_HTTP_NOT_FOUND;

// A number that travels with a packet through the decoder and comes out with its frame.
static inline void eyrie_tag_packet(AVCodecContext *decoder, AVPacket *packet, int64_t tag) {
#if LIBAVCODEC_VERSION_MAJOR >= 60
  decoder->flags |= AV_CODEC_FLAG_COPY_OPAQUE;
  packet->opaque = (void *)(intptr_t)tag;
#else
  (void)packet;
  decoder->reordered_opaque = tag;
#endif
}

static inline int64_t eyrie_frame_tag(const AVFrame *frame) {
#if LIBAVCODEC_VERSION_MAJOR >= 60
  return (int64_t)(intptr_t)frame->opaque;
#else
  return frame->reordered_opaque;
#endif
}

static inline int64_t eyrie_frame_duration(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return frame->duration;
#else
  return frame->pkt_duration;
#endif
}

static inline int eyrie_frame_is_key(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame->flags & AV_FRAME_FLAG_KEY) != 0;
#else
  return frame->key_frame;
#endif
}

// The nine 16.16 numbers of the container's display matrix, or NULL.
static inline const int32_t *eyrie_stream_display_matrix(const AVStream *stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData *data = av_packet_side_data_get(
    stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)data->data : NULL;
#else
  size_t size = 0;
  const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
#endif
}
