using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>The buffers that peers' messages arrive in, shared by all connections.</summary>
internal sealed unsafe class MessageReceives : IDisposable
{
    private readonly ibv_srq* _queue;
    private readonly BufferPool _buffers;
    private readonly VerbsConnection?[] _lentOf;
    private readonly bool[] _isLent;

    /// <summary>Posts all buffers.</summary>
    public MessageReceives(ibv_pd* pd, ibv_srq* queue, int count, int length, string where)
    {
        _queue = queue;
        _buffers = new BufferPool(pd, count, length, where);
        _lentOf = new VerbsConnection?[count];
        _isLent = new bool[count];
        try
        {
            for (int i = 0; i < count; i++)
                VerbsErrors.Check(Post(i), "ibv_post_srq_recv", where);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public ReadOnlySpan<byte> this[int index] => new(_buffers[index], _buffers.Length);

    public byte* BufferOf(int index) => _buffers[index];

    /// <summary>Gives a buffer to the engine.</summary>
    public void Lend(int index, VerbsConnection of)
    {
        _isLent[index] = true;
        _lentOf[index] = of;
    }

    /// <summary>Takes a buffer back, and says whose message was in it.</summary>
    /// <exception cref="InvalidOperationException">It was not lent.</exception>
    public VerbsConnection TakeBack(long token)
    {
        if ((ulong)token >= (ulong)_isLent.Length || !_isLent[token])
            throw new InvalidOperationException($"Message buffer {token} is not lent out; give each message back once, to the domain that reported it.");
        _isLent[token] = false;
        VerbsConnection of = _lentOf[token]!;
        _lentOf[token] = null;
        return of;
    }

    /// <summary>Posts a buffer and returns the error number.</summary>
    public int Post(int index)
    {
        ibv_sge piece = _buffers.PieceOf(index, _buffers.Length);
        var request = new ibv_recv_wr { wr_id = WorkId.Pack(WorkKind.MessageReceive, index, 0), sg_list = &piece, num_sge = 1 };
        ibv_recv_wr* bad;
        return Calls.ibv_post_srq_recv(_queue, &request, &bad);
    }

    public void Dispose() => _buffers.Dispose();
}
