namespace Garden.Fabric;

/// <summary>What the sender's completion of a write says.</summary>
public enum FabricCompletionLevel : byte
{
    /// <summary>The source bytes may be reused; the data may still be on its way (tcp: handed to the socket).</summary>
    LocalOnly = 0,

    /// <summary>The remote NIC has taken the data; it may not be visible there yet (RC acknowledgement).</summary>
    RemoteAccepted = 1,

    /// <summary>The data lies in the remote memory.</summary>
    RemotePlaced = 2,
}
