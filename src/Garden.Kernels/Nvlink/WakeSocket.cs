using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Garden.Kernels.Nvlink;

/// <summary>
/// What a parked worker waits on: a datagram socket in Linux's abstract name space, named after the NIC's segment. A datagram says
/// nothing but "look"; who sends one has set the segment's armed flag back first, so that there is one a park.
/// </summary>
internal sealed class WakeSocket : IDisposable
{
    private static readonly byte[] s_look = [1];
    private readonly byte[] _received = new byte[8];
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };

    public WakeSocket(SharedMemoryName name)
    {
        try
        {
            _socket.Bind(EndPointOf(name));
        }
        catch (SocketException exception)
        {
            _socket.Dispose();
            throw new FabricException($"The wake socket of the nvlink NIC {name} could not be opened: {exception.Message}", innerException: exception);
        }
    }

    public int Descriptor => (int)_socket.SafeHandle.DangerousGetHandle();

    public static SocketAddress AddressOf(SharedMemoryName name) => EndPointOf(name).Serialize();

    /// <summary>Any thread: wakes a peer. One that is gone needs none.</summary>
    public void Wake(SocketAddress peer)
    {
        try
        {
            _socket.SendTo(s_look, SocketFlags.None, peer);
        }
        catch (SocketException)
        {
            // Gone, or its queue is full of wakes that it has not seen yet.
        }
        catch (ObjectDisposedException)
        {
            // This NIC is closing.
        }
    }

    /// <summary>Takes the wakes that came.</summary>
    public void Drain()
    {
        while (_socket.Available > 0 && _socket.Receive(_received, SocketFlags.None, out SocketError error) > 0 && error == SocketError.Success)
        {
        }
    }

    public void Dispose() => _socket.Dispose();

    private static UnixDomainSocketEndPoint EndPointOf(SharedMemoryName name) => new($"\0garden-nvlink-{name.Id.ToString("x16", CultureInfo.InvariantCulture)}");
}
