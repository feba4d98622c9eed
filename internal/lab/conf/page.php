<?php
// The session test page of one node. The session stays locked from
// session_start to the end of the request, as PHP does with files.
header('Content-Type: application/json');
if ($_SERVER['SCRIPT_NAME'] === '/status' || strtok($_SERVER['REQUEST_URI'], '?') === '/status') {
    echo json_encode(['state' => 'running', 'version' => '1.0.0']);
    return;
}
session_start();
if (isset($_GET['set'])) {
    $_SESSION['value'] = $_GET['set'];
}
usleep(1000 * (int) getenv('WORK_MS'));
echo json_encode(['node' => getenv('NODE_ID'), 'sessionid' => session_id(), 'value' => $_SESSION['value'] ?? '']);
