using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Requests that go to the NIC with one doorbell, in memory that is used again for each chain.</summary>
internal sealed unsafe class WriteChain : IDisposable
{
    private readonly ibv_send_wr* _requests;
    private readonly ibv_sge* _pieces;
    private readonly int _piecesPerRequest;

    public WriteChain(int length, int pieces)
    {
        Length = length;
        _piecesPerRequest = pieces;
        _requests = (ibv_send_wr*)NativeMemory.AlignedAlloc((nuint)length * (nuint)sizeof(ibv_send_wr), 64);
        _pieces = (ibv_sge*)NativeMemory.AlignedAlloc((nuint)(length * pieces) * (nuint)sizeof(ibv_sge), 64);
        NativeMemory.Clear(_requests, (nuint)length * (nuint)sizeof(ibv_send_wr));
        for (int i = 0; i < length; i++)
            _requests[i].sg_list = _pieces + (i * pieces);
    }

    /// <summary>The most requests.</summary>
    public int Length { get; }

    /// <summary>Requests in it now.</summary>
    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <summary>Begins the next request; <see cref="Count"/> is below <see cref="Length"/>.</summary>
    public ibv_send_wr* Begin(ulong remoteAddress, uint remoteKey)
    {
        // Safe: the caller asks for no more than Length.
        ibv_send_wr* request = _requests + Count++;
        request->num_sge = 0;
        request->send_flags = 0;
        request->opcode = IBV.IBV_WR_RDMA_WRITE;
        request->next = request + 1;
        request->wr_rdma_remote_addr = remoteAddress;
        request->wr_rdma_rkey = remoteKey;
        return request;
    }

    /// <summary>Adds a piece of source memory, at the end of the last one where it continues it. False when the request has no place for one.</summary>
    public bool TryAdd(ibv_send_wr* request, ulong address, uint length, uint key)
    {
        ibv_sge* piece = request->sg_list + request->num_sge;
        if (request->num_sge != 0 && piece[-1].lkey == key && piece[-1].addr + piece[-1].length == address)
        {
            piece[-1].length += length;
            return true;
        }

        if (request->num_sge == _piecesPerRequest)
            return false;
        // Safe: below the pieces of a request.
        piece->addr = address;
        piece->length = length;
        piece->lkey = key;
        request->num_sge++;
        return true;
    }

    public static void SetImmediate(ibv_send_wr* request, uint immediate)
    {
        request->opcode = IBV.IBV_WR_RDMA_WRITE_WITH_IMM;
        request->imm_data = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(immediate) : immediate;
    }

    /// <summary>Posts all; the last one asks for a completion. Returns the error number; then a part may have been taken.</summary>
    public int Post(ibv_qp* queue)
    {
        ibv_send_wr* last = _requests + (Count - 1);
        last->next = null;
        last->send_flags |= IBV.IBV_SEND_SIGNALED;
        ibv_send_wr* bad;
        return Calls.ibv_post_send(queue, _requests, &bad);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_requests);
        NativeMemory.AlignedFree(_pieces);
    }
}
